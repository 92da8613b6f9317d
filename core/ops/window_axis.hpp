#pragma once
// From the options of convolution and pooling to the geometry that their kernels see.

#include <algorithm>
#include <string_view>

#include "core/ops/window.hpp"
#include "core/tensor.hpp"
#include "kernels/window.hpp"

namespace lora::detail {

/// Kernel, stride, padding and dilation.
struct Window2d {
  Size2d kernel, stride, padding, dilation;
};

inline void require_window(std::string_view op, const Window2d& window) {
  constexpr Index kMost = Index{1} << 31;  // products of two are far from overflow
  const auto within = [](const Size2d& size, Index least) {
    return std::min(size.h, size.w) >= least && std::max(size.h, size.w) <= kMost;
  };
  require(within(window.kernel, 1), op, "the kernel must be 1 to 2^31 on both axes, got ", window.kernel);
  require(within(window.stride, 1), op, "the stride must be 1 to 2^31 on both axes, got ", window.stride);
  require(within(window.padding, 0), op, "the padding must be 0 to 2^31 on both axes, got ", window.padding);
  require(within(window.dilation, 1), op, "the dilation must be 1 to 2^31 on both axes, got ", window.dilation);
}

inline kernels::WindowAxis window_axis(Index in, Index kernel, Index stride, Index padding, Index dilation) {
  const Index room = in + 2 * padding - dilation * (kernel - 1) - 1;
  return {in, room < 0 ? 0 : room / stride + 1, kernel, stride, padding, dilation};
}

inline kernels::WindowAxis height_axis(const Tensor& x, const Window2d& window) {
  return window_axis(x.size(2), window.kernel.h, window.stride.h, window.padding.h, window.dilation.h);
}

inline kernels::WindowAxis width_axis(const Tensor& x, const Window2d& window) {
  return window_axis(x.size(3), window.kernel.w, window.stride.w, window.padding.w, window.dilation.w);
}

}  // namespace lora::detail
