#include "kernels/cuda/layout.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace lora::kernels::cuda::detail {

namespace {

struct Axis {
  Index size;
  std::vector<Index> stride;  // of each array

  bool continues(const Axis& outer) const {
    for (std::size_t k = 0; k < stride.size(); ++k) {
      if (outer.stride[k] != stride[k] * size) {
        return false;
      }
    }
    return true;
  }
};

std::vector<Axis> axes_of(const Shape& shape, const Shape* const* strides, int arrays) {
  std::vector<Axis> axes;
  for (int d = 0; d < shape.ndim(); ++d) {
    if (shape[d] != 1) {
      Axis& axis = axes.emplace_back(Axis{shape[d], {}});
      for (int k = 0; k < arrays; ++k) {
        axis.stride.push_back((*strides[k])[d]);
      }
    }
  }
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.stride[0] > b.stride[0]; });
  return axes;
}

}  // namespace

void build_layout(const Shape& shape, const Shape* const* strides, int arrays, Index* numel, int* ndim, Index* size, Index* stride) {
  std::vector<Axis> merged;
  for (Axis& axis : axes_of(shape, strides, arrays)) {
    if (!merged.empty() && axis.continues(merged.back())) {
      axis.size *= merged.back().size;
      merged.pop_back();
    }
    merged.push_back(std::move(axis));
  }
  *numel = shape.numel();
  *ndim = static_cast<int>(merged.size());
  for (std::size_t d = 0; d < merged.size(); ++d) {
    size[d] = merged[d].size;
    for (int k = 0; k < arrays; ++k) {
      stride[k * kMaxDims + static_cast<int>(d)] = merged[d].stride[static_cast<std::size_t>(k)];
    }
  }
}

}  // namespace lora::kernels::cuda::detail
