#include "core/ops/conv.hpp"

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/product_dtype.hpp"
#include "core/ops/view.hpp"
#include "core/ops/window_axis.hpp"

namespace lora {

namespace {

kernels::Conv2dShape conv_shape(std::string_view op, const Tensor& x, const Tensor& weight, const Conv2dOptions& options) {
  detail::require_same_float(op, x, weight);
  require(x.ndim() == 4 && weight.ndim() == 4, op, "x must be [N, C, H, W] and weight [O, C / groups, kh, kw], got x ", x, ", weight ",
          weight);
  const Index groups = options.groups;
  require(groups >= 1 && weight.size(0) % groups == 0, op, "groups (", groups, ") must divide the outputs: weight ", weight);
  require(x.size(1) == weight.size(1) * groups, op, "channels differ: x ", x, ", weight ", weight, " with groups ", groups,
          "; the channels of x must be groups times the second size of the weight");
  const detail::Window2d window{{weight.size(2), weight.size(3)}, options.stride, options.padding, options.dilation};
  detail::require_window(op, window);
  const kernels::Conv2dShape shape{
      x.size(0), x.size(1), weight.size(0), groups, detail::height_axis(x, window), detail::width_axis(x, window)};
  require(shape.h.out > 0 && shape.w.out > 0, op, "the kernel is larger than the padded image: x ", x, ", weight ", weight, ", padding ",
          options.padding, ", dilation ", options.dilation, "; add padding");
  return shape;
}

// The operands below are as their kernels take them (ProductDType::operand).

Tensor grad_input(const kernels::Conv2dShape& shape, double scale, const Tensor& weight, const Tensor& gy) {
  Tensor gx = empty_channels_last({shape.batch, shape.in_channels, shape.h.in, shape.w.in}, gy.dtype(), gy.device());
  detail::kernels_of(gy).conv2d_grad_input(detail::context_of(gy), shape, scale, weight.view(), gy.view(), gx.mutable_view());
  return gx;
}

Tensor grad_weight(const kernels::Conv2dShape& shape, double scale, const Tensor& x, const Tensor& gy) {
  Tensor gw = empty({shape.out_channels, shape.in_channels / shape.groups, shape.h.kernel, shape.w.kernel}, gy.dtype(), gy.device());
  detail::kernels_of(gy).conv2d_grad_weight(detail::context_of(gy), shape, scale, channels_last(x).view(), gy.view(), gw.mutable_view());
  return gw;
}

Tensor forward(const kernels::Conv2dShape& shape, double scale, const Tensor& addend, const Tensor& x, const Tensor& weight) {
  Tensor y = empty_channels_last({shape.batch, shape.out_channels, shape.h.out, shape.w.out}, x.dtype(), x.device());
  const ConstView start = addend.defined() ? expand(addend.detach(), y.shape()).view() : ConstView{};
  detail::kernels_of(x).conv2d(detail::context_of(x), shape, scale, channels_last(x).view(), weight.view(),
                               addend.defined() ? &start : nullptr, y.mutable_view());
  return y;
}

/// addend, where it is defined, has been checked; it broadcasts to the result.
Tensor convolve(std::string_view op, const kernels::Conv2dShape& shape, const Tensor& addend, const Tensor& x, const Tensor& weight,
                double scale) {
  const detail::ProductDType in(x);
  const Tensor y = in.result(forward(shape, scale, in.operand(addend), in.operand(x.detach()), in.operand(weight.detach())));
  return record(op, {x, weight, addend}, y,
                [in, op, shape, scale, x = Saved(x, weight.requires_grad()), w = Saved(weight, x.requires_grad())](
                    const Node& node, const Tensor& gy) -> Grads {
                  const Tensor slope = node.wants(0) || node.wants(1) ? channels_last(in.operand(gy)) : gy;
                  return {node.wants(0) ? in.result(grad_input(shape, scale, in.operand(w.get(op)), slope)) : Tensor{},
                          node.wants(1) ? in.result(grad_weight(shape, scale, in.operand(x.get(op)), slope)) : Tensor{}, gy};
                });
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  const kernels::Conv2dShape shape = conv_shape("conv2d", x, weight, options);
  if (bias.defined()) {
    detail::require_same_float("conv2d", bias, weight);
    require(bias.shape() == Shape{weight.size(0)}, "conv2d", "the bias must have one number for each output: weight ", weight, ", bias ",
            bias);
  }
  return convolve("conv2d", shape, bias.defined() ? reshape(bias, {bias.size(0), 1, 1}) : bias, x, weight, 1.0);
}

Tensor conv2d_add(const Tensor& addend, const Tensor& x, const Tensor& weight, double scale, const Conv2dOptions& options) {
  const kernels::Conv2dShape shape = conv_shape("conv2d_add", x, weight, options);
  const Shape result{shape.batch, shape.out_channels, shape.h.out, shape.w.out};
  detail::require_same_float("conv2d_add", addend, weight);
  require(broadcast_shapes("conv2d_add", addend.shape(), result) == result, "conv2d_add", addend, " does not broadcast to the result ",
          result);
  return convolve("conv2d_add", shape, addend, x, weight, scale);
}

Tensor conv2d_input(const Shape& input_size, const Tensor& weight, const Tensor& grad_output, const Conv2dOptions& options) {
  check_sizes("conv2d_input", input_size);
  const Tensor x = expand(empty(Shape(std::vector<Index>(static_cast<std::size_t>(input_size.ndim()), 1)), weight.dtype(), weight.device()),
                          input_size);  // no memory of that size
  const kernels::Conv2dShape shape = conv_shape("conv2d_input", x, weight, options);
  const Shape result{shape.batch, shape.out_channels, shape.h.out, shape.w.out};
  detail::require_same_float("conv2d_input", grad_output, weight);
  require(grad_output.shape() == result, "conv2d_input", "grad_output is ", grad_output, ", the convolution's result ", result);
  const detail::ProductDType in(weight);
  const Tensor gx = grad_input(shape, 1.0, in.operand(weight.detach()), channels_last(in.operand(grad_output.detach())));
  return record_without_gradient("conv2d_input", {weight, grad_output}, in.result(gx));
}

}  // namespace lora
