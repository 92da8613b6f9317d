#pragma once
// Where element i of several arrays of one shape lies. Axes are dropped, ordered and merged on the host; kernels divide.

#include <cstddef>

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
/// Orders axes by the strides of array 0, the largest first, drops those of size 1 and merges neighbours that are one axis in memory.
void build_layout(const Shape& shape, const Shape* const* strides, int arrays, Index* numel, int* ndim, Index* size, Index* stride);
}

/// @param strides  of each array, for the axes of `shape`
template <std::size_t N>
Layout<N> make_layout(const Shape& shape, const Shape* const (&strides)[N]) {
  Layout<N> layout;
  detail::build_layout(shape, strides, static_cast<int>(N), &layout.numel, &layout.ndim, layout.size, layout.stride[0]);
  return layout;
}

}  // namespace lora::kernels::cuda
