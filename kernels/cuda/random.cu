// Rows uniform, normal and dropout: pieces of one Philox sequence, bit-equal to core/base/rng.hpp whatever the piece.

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {

namespace {

using Words = std::array<std::uint32_t, 4>;

/// Neighbouring elements that are read and written at once where they are aligned.
template <class T, std::size_t kCount>
struct alignas(sizeof(T) * kCount < 16 ? sizeof(T) * kCount : 16) Pack {
  T at[kCount];
};

/// The pack that begins at element `first` of n; beyond the end it holds zeros.
template <std::size_t kCount, class T>
__device__ inline Pack<T, kCount> load_pack(const T* from, Index first, Index n) {
  using P = Pack<T, kCount>;
  if (first + Index{kCount} <= n && reinterpret_cast<std::uintptr_t>(from + first) % alignof(P) == 0) {
    return *reinterpret_cast<const P*>(from + first);
  }
  P pack{};
  for (Index j = 0; j < Index{kCount} && first + j < n; ++j) {
    pack.at[j] = from[first + j];
  }
  return pack;
}

template <std::size_t kCount, class T>
__device__ inline void store_pack(const Pack<T, kCount>& pack, T* to, Index first, Index n) {
  using P = Pack<T, kCount>;
  if (first + Index{kCount} <= n && reinterpret_cast<std::uintptr_t>(to + first) % alignof(P) == 0) {
    *reinterpret_cast<P*>(to + first) = pack;
    return;
  }
  for (Index j = 0; j < Index{kCount} && first + j < n; ++j) {
    to[first + j] = pack.at[j];
  }
}

/// Elements that one block of four words makes.
template <class T>
inline constexpr Index kPerBlock = 16 / sizeof(T);

/// Number k of a block, uniform in [0, 1), in double, which has room for both.
template <class T>
__device__ inline double unit(const Words& words, Index k) {
  const auto w = static_cast<std::size_t>(k);
  if constexpr (sizeof(T) == 4) {
    return static_cast<double>(uniform_f32(words[w]));
  } else {
    return uniform_f64(words[2 * w], words[2 * w + 1]);
  }
}

/// Of numbers in low .. low + span below `end`; `last` is the number before that.
template <class T>
struct Interval {
  double low, span;
  T end, last;
};

/// Rounded the same way on every machine: in f32 the product is exact in double, in f64 it is not rounded.
template <class T>
__device__ inline T uniform_in(const Interval<T>& in, double u) {
  const double span = sizeof(T) == 4 ? static_cast<double>(static_cast<float>(in.span)) : in.span;
  const T value = static_cast<T>(std::fma(span, u, in.low));
  return value < in.end ? value : in.last;
}

template <class T>
__global__ void uniform_kernel(PhiloxState random, Interval<T> in, Index n, T* out) {
  const Index block = thread_index(), first = block * kPerBlock<T>;
  if (first < n) {
    const Words words = random.block(static_cast<std::uint64_t>(block));
    Pack<T, kPerBlock<T>> y{};
    for (Index j = 0; j < kPerBlock<T>; ++j) {
      y.at[j] = uniform_in(in, unit<T>(words, j));
    }
    store_pack(y, out, first, n);
  }
}

/// Pairs of independent normals. @source Box & Muller 1958
template <class T>
__global__ void normal_kernel(PhiloxState random, double mean, double std, Index n, T* out) {
  const Index block = thread_index(), first = block * kPerBlock<T>;
  if (first < n) {
    const Words words = random.block(static_cast<std::uint64_t>(block));
    Pack<T, kPerBlock<T>> y{};
    for (Index j = 0; j < kPerBlock<T>; j += 2) {
      const double radius = std * std::sqrt(-2.0 * std::log(1.0 - unit<T>(words, j)));
      const double angle = 6.283185307179586477 * unit<T>(words, j + 1);
      y.at[j] = static_cast<T>(mean + radius * std::cos(angle));
      y.at[j + 1] = static_cast<T>(mean + radius * std::sin(angle));
    }
    store_pack(y, out, first, n);
  }
}

/// @param threshold  of the upper 24 bits of a word, below which the element becomes 0
template <class T>
__global__ void dropout_kernel(PhiloxState random, std::uint32_t threshold, Compute<T> keep, Index n, const T* x, T* y) {
  const Index block = thread_index(), first = block * 4;
  if (first < n) {
    const Words words = random.block(static_cast<std::uint64_t>(block));
    Pack<T, 4> v = load_pack<4>(x, first, n);
    for (int j = 0; j < 4; ++j) {
      const bool kept = words[static_cast<std::size_t>(j)] >> 8 >= threshold;
      v.at[j] = kept ? static_cast<T>(static_cast<Compute<T>>(v.at[j]) / keep) : T{};
    }
    store_pack(v, y, first, n);
  }
}

/// A thread for `per_thread` neighbouring ones of n elements.
template <class... P, class... A>
void launch_blocks(const Context& context, Row row, Index n, Index per_thread, void (*kernel)(P...), const A&... args) {
  if (n > 0) {
    launch(context, row, {{n, kThreads * per_thread}}, {blocks_for(n, kThreads * per_thread), dim3(kThreads)}, kernel, args...);
  }
}

}  // namespace

void uniform(const Context& context, const PhiloxState& random, double low, double high, const View& out) {
  const Index n = out.numel();
  visit_real(out.dtype, [&]<class T>(Tag<T>) {
    const T end = static_cast<T>(high);
    const Interval<T> in{low, high - low, end, std::nextafter(end, static_cast<T>(low))};  // rounding may reach `high`
    launch_blocks(context, Row::uniform, n, kPerBlock<T>, uniform_kernel<T>, random, in, n, out.ptr<T>());
  });
}

void normal(const Context& context, const PhiloxState& random, double mean, double std, const View& out) {
  const Index n = out.numel();
  visit_real(out.dtype, [&]<class T>(Tag<T>) {
    launch_blocks(context, Row::normal, n, kPerBlock<T>, normal_kernel<T>, random, mean, std, n, out.ptr<T>());
  });
}

void dropout(const Context& context, const PhiloxState& random, double p, const ConstView& x, const View& y) {
  // u < p for u = w 2^-24 is w < p 2^24, and that is w < ceil(p 2^24) for whole w.
  const auto threshold = static_cast<std::uint32_t>(std::ceil(p * 0x1p24));
  const Index n = x.numel();
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    const auto keep = static_cast<Compute<T>>(1.0 - p);
    launch_blocks(context, Row::dropout, n, 4, dropout_kernel<T>, random, threshold, keep, n, x.ptr<T>(), y.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
