#include "kernels/cuda/layout.hpp"

#include <algorithm>
#include <utility>

namespace lora::kernels::cuda::detail {

namespace {

/// Whether a step along `outer` is as long as all of `inner`, in each array.
bool continues(const Axis& inner, const Axis& outer) {
  for (std::size_t k = 0; k < inner.stride.size(); ++k) {
    if (outer.stride[k] != inner.stride[k] * inner.size) {
      return false;
    }
  }
  return true;
}

std::vector<Axis> ordered_axes(const Shape& shape, const Shape* const* strides, std::size_t arrays) {
  std::vector<Axis> axes;
  for (int d = 0; d < shape.ndim(); ++d) {
    if (shape[d] != 1) {
      Axis& axis = axes.emplace_back(Axis{shape[d], {}});
      for (std::size_t k = 0; k < arrays; ++k) {
        axis.stride.push_back((*strides[k])[d]);
      }
    }
  }
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.stride[0] > b.stride[0]; });
  return axes;
}

}  // namespace

std::vector<Axis> merged_axes(const Shape& shape, const Shape* const* strides, std::size_t arrays) {
  std::vector<Axis> merged;
  for (Axis& axis : ordered_axes(shape, strides, arrays)) {
    if (!merged.empty() && continues(axis, merged.back())) {
      axis.size *= merged.back().size;
      merged.pop_back();
    }
    merged.push_back(std::move(axis));
  }
  return merged;
}

}  // namespace lora::kernels::cuda::detail
