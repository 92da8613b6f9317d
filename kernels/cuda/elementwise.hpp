#pragma once
// Kernels that treat each element by itself: which elements of arrays in any layout a thread takes, and launches of such kernels.

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/layout.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {

/// Elements of a thread, all read before the first is written, so that several reads are under way at a time.
inline constexpr int kPerThread = 4;
inline constexpr Index kTile = Index{kThreads} * kPerThread;

/// The elements of N arrays of one shape that this thread takes: a block's width apart, as neighbouring threads take neighbours.
template <std::size_t N>
class Elements {
 public:
  __device__ explicit Elements(const Layout<N>& at) {
    const Index first = static_cast<Index>(blockIdx.x) * kTile + threadIdx.x;
    if (first >= at.numel) {
      return;
    }
    count_ = static_cast<int>((at.numel - 1 - first) / kThreads) + 1;
    count_ = count_ < kPerThread ? count_ : kPerThread;
    locate(at, static_cast<Index>(blockIdx.x) * kTile);
  }

  /// body(j) for each element.
  template <class Body>
  __device__ void each(const Body& body) const {
#pragma unroll
    for (int j = 0; j < kPerThread; ++j) {
      if (j < count_) {
        body(j);
      }
    }
  }

  /// Where element j lies in array k.
  template <std::size_t k>
  __device__ Index in(int j) const {
    return offset_[j][k];
  }

  template <std::size_t k, class T>
  __device__ void load(const T* from, Compute<T> (&values)[kPerThread]) const {
    each([&](int j) { values[j] = static_cast<Compute<T>>(from[in<k>(j)]); });
  }

  /// To array 0.
  template <class T>
  __device__ void store(const Compute<T> (&values)[kPerThread], T* to) const {
    each([&](int j) { to[in<0>(j)] = static_cast<T>(values[j]); });
  }

 private:
  /// Divides the number of the block's first element, as that takes 64 bits, and for the elements only what they are ahead of it.
  __device__ void locate(const Layout<N>& at, Index base) {
    int ahead[kPerThread];
#pragma unroll
    for (int j = 0; j < kPerThread; ++j) {
      ahead[j] = static_cast<int>(threadIdx.x) + j * kThreads;
    }
    for (int d = at.ndim - 1; d > 0; --d) {
      const Index size = at.size[d], next = base / size, digit = base - next * size;
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) {
        const Index sum = digit + ahead[j];
        ahead[j] = carry(sum, size);
        step(at, d, sum - ahead[j] * size, offset_[j]);
      }
      base = next;
    }
    if (at.ndim > 0) {
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) {
        step(at, 0, base + ahead[j], offset_[j]);
      }
    }
  }

  /// sum / size for a sum below size + kTile, without a division by 64 bits.
  __device__ static int carry(Index sum, Index size) {
    constexpr Index kNarrow = Index{1} << 30;
    return size > kNarrow ? static_cast<int>(sum >= size)
                          : static_cast<int>(static_cast<std::uint32_t>(sum) / static_cast<std::uint32_t>(size));
  }

  __device__ static void step(const Layout<N>& at, int d, Index by, Index (&offset)[N]) {
#pragma unroll
    for (std::size_t k = 0; k < N; ++k) {
      offset[k] += by * at.stride[k][d];
    }
  }

  Index offset_[kPerThread][N] = {};
  int count_ = 0;
};

/// One thread for kPerThread elements; none, no launch. The layout is the kernel's first parameter.
template <std::size_t N, class... P, class... A>
void launch_elements(const Context& context, Row row, const Layout<N>& at, void (*kernel)(P...), const A&... args) {
  if (at.numel > 0) {
    launch(context, row, {{at.numel, kTile}}, {blocks_for(at.numel, kTile), dim3(kThreads)}, kernel, at, args...);
  }
}

}  // namespace lora::kernels::cuda
