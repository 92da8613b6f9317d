#include "kernels/cuda/conv_library.hpp"

#include <algorithm>
#include <limits>

#include "core/base/memory.hpp"
#include "kernels/cuda/cudnn.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/product_choice.hpp"

namespace lora::kernels::cuda {

namespace {

Shape weight_shape(const Conv2dShape& s) { return {s.out_channels, s.in_channels / s.groups, s.h.kernel, s.w.kernel}; }

/// Whether the library takes the sizes, which it counts in int.
bool fits(const Conv2dShape& s) {
  constexpr Index kMost = std::numeric_limits<int>::max();
  const auto usual = [](const WindowAxis& a) {
    return a.in + 2 * a.padding <= kMost && a.stride <= kMost && a.dilation <= kMost &&
           a.out == (a.in + 2 * a.padding - a.dilation * (a.kernel - 1) - 1) / a.stride + 1;
  };
  const Index x = s.batch * s.in_channels * s.h.in * s.w.in, y = s.batch * s.out_channels * s.h.out * s.w.out;
  const Index w = weight_shape(s).numel();
  return std::min({x, y, w}) > 0 && std::max({x, y, w}) <= kMost && usual(s.h) && usual(s.w);
}

/// The library has no part in f64, which is for checks.
bool for_library(const Conv2dShape& s, DType dtype) {
  if (dtype == DType::f64 || !fits(s)) {
    return false;
  }
  const Index outputs = s.out_channels / s.groups, positions = s.batch * s.h.out * s.w.out;
  return prefers_library(positions * weight_shape(s).numel(), std::min(outputs, positions));
}

/// A weight in the order of the library.
class DenseWeight {
 public:
  DenseWeight(const Context& context, const Conv2dShape& s, DType dtype)
      : shape_(weight_shape(s)), dtype_(dtype), memory_(static_cast<std::size_t>(shape_.numel()) * itemsize(dtype), context.device) {}

  View view() const { return {memory_.ptr<void>(), dtype_, shape_, channels_last_strides(shape_)}; }

 private:
  Shape shape_;
  DType dtype_;
  Scratch memory_;
};

}  // namespace

bool conv2d_by_library(const Context& context, const ScaledConv& conv, const ConstView& x, const ConstView& weight, const ConstView* addend,
                       const View& y) {
  if (!for_library(conv.shape, y.dtype)) {
    return false;
  }
  const DenseWeight dense(context, conv.shape, y.dtype);
  copy(context, weight, dense.view());
  if (addend != nullptr) {
    copy(context, *addend, y);
  }
  const DenseConv dense_conv{conv.shape, y.dtype, conv.scale, addend != nullptr ? 1.0 : 0.0};
  return run_cudnn(context, ConvPass::forward, dense_conv, x.data, dense.view().data, y.data);
}

bool grad_input_by_library(const Context& context, const ScaledConv& conv, const ConstView& weight, const ConstView& gy, const View& gx) {
  if (!for_library(conv.shape, gx.dtype)) {
    return false;
  }
  const DenseWeight dense(context, conv.shape, gx.dtype);
  copy(context, weight, dense.view());
  return run_cudnn(context, ConvPass::grad_input, {conv.shape, gx.dtype, conv.scale, 0.0}, dense.view().data, gy.data, gx.data);
}

bool grad_weight_by_library(const Context& context, const ScaledConv& conv, const ConstView& x, const ConstView& gy, const View& gw) {
  if (!for_library(conv.shape, gw.dtype)) {
    return false;
  }
  const DenseWeight dense(context, conv.shape, gw.dtype);
  if (!run_cudnn(context, ConvPass::grad_weight, {conv.shape, gw.dtype, conv.scale, 0.0}, x.data, gy.data, dense.view().data)) {
    return false;
  }
  copy(context, dense.view(), gw);
  return true;
}

}  // namespace lora::kernels::cuda
