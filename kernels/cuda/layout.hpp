#pragma once
// Where element i of several arrays of one shape lies. Axes are dropped, ordered and merged on the host; kernels divide.

#include <cstddef>

#include <vector>

#include "core/base/view.hpp"
#include "kernels/cuda/gpu.hpp"

namespace lora::kernels::cuda {

/// N arrays of one shape, passed to kernels by value. Axes run from the outermost to the innermost in memory of array 0.
template <std::size_t N>
struct Layout {
  Index numel = 1;
  int ndim = 0;
  Index size[kMaxDims];
  Index stride[N][kMaxDims];

  /// Offsets in elements of element i, in the order of this layout's axes.
  __device__ void locate(Index i, Index (&offset)[N]) const {
    for (std::size_t k = 0; k < N; ++k) {
      offset[k] = 0;
    }
    for (int d = ndim - 1; d >= 0; --d) {
      const Index at = d > 0 ? i % size[d] : i;
      i = d > 0 ? i / size[d] : 0;
      for (std::size_t k = 0; k < N; ++k) {
        offset[k] += at * stride[k][d];
      }
    }
  }
};

namespace detail {

/// One axis of several arrays.
struct Axis {
  Index size;
  std::vector<Index> stride;  // of each array
};

/// Axes ordered by the strides of array 0, the largest first, without those of size 1, and neighbours that are one axis in memory merged.
std::vector<Axis> merged_axes(const Shape& shape, const Shape* const* strides, std::size_t arrays);

}  // namespace detail

/// @param strides  of each array, for the axes of `shape`
template <std::size_t N>
Layout<N> make_layout(const Shape& shape, const Shape* const (&strides)[N]) {
  Layout<N> layout;
  layout.numel = shape.numel();
  for (const detail::Axis& axis : detail::merged_axes(shape, strides, N)) {
    layout.size[layout.ndim] = axis.size;
    for (std::size_t k = 0; k < N; ++k) {
      layout.stride[k][layout.ndim] = axis.stride[k];
    }
    ++layout.ndim;
  }
  return layout;
}

}  // namespace lora::kernels::cuda
