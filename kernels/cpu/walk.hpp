#pragma once
// How kernels go over strided arrays: axes are dropped, ordered and merged first, then walked row by row without a division an element.

#include <cstddef>

#include "core/base/shape.hpp"
#include "core/base/threads.hpp"

namespace lora::kernels::LORA_CPU_ISA {

/// Elements of one piece of parallel work: some microseconds of it, several times what a region costs.
inline constexpr Index kGrain = 16384;

/// N arrays of one shape. Axes run from the outermost to the innermost in memory of array 0; there is always one.
template <std::size_t N>
struct Walk {
  int ndim = 0;
  Index numel = 1;
  Index size[kMaxDims];
  Index stride[N][kMaxDims];

  Index inner_size() const { return size[ndim - 1]; }
  Index inner_stride(std::size_t array) const { return stride[array][ndim - 1]; }
  /// True if every array is contiguous along the innermost axis.
  bool inner_contiguous() const {
    bool yes = true;
    for (std::size_t k = 0; k < N; ++k) {
      yes = yes && inner_stride(k) == 1;
    }
    return yes;
  }

  /// Adds an axis at its place. Axes of size 1 are skipped.
  void add(Index axis_size, const Index (&axis_stride)[N]) {
    numel *= axis_size;
    if (axis_size == 1) {
      return;
    }
    int at = ndim++;
    for (; at > 0 && stride[0][at - 1] < axis_stride[0]; --at) {
      copy_axis(at - 1, at);
    }
    size[at] = axis_size;
    for (std::size_t k = 0; k < N; ++k) {
      stride[k][at] = axis_stride[k];
    }
  }

  /// Merges neighbours that are one axis in memory. Call once, when all axes are there.
  void finish() {
    if (ndim == 0) {
      add_unit_axis();
    }
    int last = 0;
    for (int i = 1; i < ndim; ++i) {
      if (merges(last, i)) {
        const Index merged = size[last] * size[i];
        copy_axis(i, last);
        size[last] = merged;
      } else {
        copy_axis(i, ++last);
      }
    }
    ndim = last + 1;
  }

 private:
  void copy_axis(int from, int to) {
    size[to] = size[from];
    for (std::size_t k = 0; k < N; ++k) {
      stride[k][to] = stride[k][from];
    }
  }
  void add_unit_axis() {
    ndim = 1;
    size[0] = 1;
    for (std::size_t k = 0; k < N; ++k) {
      stride[k][0] = 1;
    }
  }
  bool merges(int outer, int inner) const {
    bool yes = true;
    for (std::size_t k = 0; k < N; ++k) {
      yes = yes && stride[k][outer] == stride[k][inner] * size[inner];
    }
    return yes;
  }
};

template <std::size_t N>
Walk<N> make_walk(const Shape& shape, const Shape* const (&strides)[N]) {
  Walk<N> walk;
  for (int i = 0; i < shape.ndim(); ++i) {
    Index axis[N];
    for (std::size_t k = 0; k < N; ++k) {
      axis[k] = (*strides[k])[i];
    }
    walk.add(shape[i], axis);
  }
  walk.finish();
  return walk;
}

/// Calls row(n, offsets) for stretches of the innermost axis that together are elements begin..end-1, in order.
template <std::size_t N, class Row>
void walk_range(const Walk<N>& walk, Index begin, Index end, const Row& row) {
  const int inner = walk.ndim - 1;
  Index at[kMaxDims], offset[N] = {};
  Index rest = begin;
  for (int d = inner; d >= 0; --d) {
    at[d] = d > 0 ? rest % walk.size[d] : rest;
    rest = d > 0 ? rest / walk.size[d] : 0;
    for (std::size_t k = 0; k < N; ++k) {
      offset[k] += at[d] * walk.stride[k][d];
    }
  }
  while (begin < end) {
    const Index left_in_row = walk.size[inner] - at[inner];
    const Index n = left_in_row < end - begin ? left_in_row : end - begin;
    row(n, static_cast<const Index(&)[N]>(offset));
    begin += n;
    at[inner] += n;
    for (std::size_t k = 0; k < N; ++k) {
      offset[k] += n * walk.stride[k][inner];
    }
    for (int d = inner; d > 0 && at[d] == walk.size[d]; --d) {
      at[d] = 0;
      ++at[d - 1];
      for (std::size_t k = 0; k < N; ++k) {
        offset[k] += walk.stride[k][d - 1] - walk.size[d] * walk.stride[k][d];
      }
    }
  }
}

/// walk_range over everything, in pieces.
template <std::size_t N, class Row>
void walk_parallel(const Walk<N>& walk, const Row& row) {
  parallel_for(walk.numel, kGrain, [&](Index begin, Index end) { walk_range(walk, begin, end, row); });
}

/// body(i) for i in 0..n-1, where no iteration reads what another writes: vectorised without a check for overlap.
template <class Body>
[[gnu::always_inline]] inline void each(Index n, const Body& body) {
#ifdef __clang__
#pragma clang loop vectorize(assume_safety)
#else
#pragma GCC ivdep
#endif
  for (Index i = 0; i < n; ++i) {
    body(i);
  }
}

}  // namespace lora::kernels::LORA_CPU_ISA
