#include "nn/conv2d.hpp"

#include <sstream>

#include "core/ops/compare.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/view.hpp"
#include "nn/init.hpp"

namespace lora::nn {

namespace {

/// The weight's shape, after all that could be wrong with it.
Shape checked_shape(Index in_channels, Index out_channels, Size2d kernel, Index groups) {
  require(in_channels > 0 && out_channels > 0 && kernel.h > 0 && kernel.w > 0, "Conv2d", "sizes must be positive, got ", in_channels,
          " to ", out_channels, " channels, kernel ", kernel);
  require(groups > 0 && in_channels % groups == 0 && out_channels % groups == 0, "Conv2d", "groups (", groups, ") must divide ",
          in_channels, " inputs and ", out_channels, " outputs");
  return {out_channels, in_channels / groups, kernel.h, kernel.w};
}

Tensor initial(const Shape& shape, const Shape& weight, DType dtype) {
  return kaiming_uniform(shape, weight[1] * weight[2] * weight[3], dtype);
}

}  // namespace

Conv2d::Conv2d(Index in_channels, Index out_channels, Size2d kernel_size, const Conv2dOptions& options, bool bias, DType dtype)
    // braces: the weight is drawn before the bias
    : AdaptableLayer{initial(checked_shape(in_channels, out_channels, kernel_size, options.groups),
                             checked_shape(in_channels, out_channels, kernel_size, options.groups), dtype),
                     bias ? initial({out_channels}, checked_shape(in_channels, out_channels, kernel_size, options.groups), dtype)
                          : Tensor{}},
      in_channels_(in_channels),
      options_(options) {}

std::string Conv2d::describe() const {
  std::ostringstream text;
  text << "Conv2d(" << in_channels() << ", " << out_channels() << ", kernel_size=" << kernel_size() << ", stride=" << options_.stride;
  if (!(options_.padding == Size2d(0))) {
    text << ", padding=" << options_.padding;
  }
  if (!(options_.dilation == Size2d(1))) {
    text << ", dilation=" << options_.dilation;
  }
  if (options_.groups != 1) {
    text << ", groups=" << options_.groups;
  }
  text << (bias().defined() ? ")" : ", bias=False)");
  return std::move(text).str();
}

Tensor Conv2d::apply(const Tensor& x, const Tensor& weight, const Tensor& bias) const {
  Conv2dOptions options = options_;
  if (is_spread(weight)) {
    options.groups = 1;
  }
  return conv2d(x, weight, bias, options);
}

Tensor Conv2d::down(const Tensor& x, const Tensor& a) const {
  return conv2d(x, a, {}, {options_.stride, options_.padding, options_.dilation});
}

Tensor Conv2d::up(const Tensor& h, const Tensor& b, double scale, const Tensor& addend) const {
  return conv2d_add(addend, h, b, scale, {1, 0, 1, options_.groups});
}

Tensor Conv2d::outer(const Tensor& b, const Tensor& a) const {
  const Index groups = options_.groups;
  const Tensor product = matmul(reshape(b, {groups, b.size(0) / groups, b.size(1)}), reshape(a, {groups, a.size(0) / groups, -1}));
  return reshape(product, spread_shape());
}

bool Conv2d::is_spread(const Tensor& weight) const { return weight.ndim() == 4 && weight.size(1) == in_channels_; }

Shape Conv2d::spread_shape() const { return {out_channels(), in_channels_, kernel_size().h, kernel_size().w}; }

Tensor Conv2d::spread(const Tensor& weight) const {
  if (is_spread(weight)) {
    return weight;
  }
  const Index groups = options_.groups;
  const Tensor group = lora::to(arange(groups), weight.device());  // outputs of a group see the inputs of that group
  const Tensor sees = eq(reshape(group, {groups, 1, 1, 1}), reshape(group, {groups, 1}));
  const Tensor parts = reshape(weight, {groups, weight.size(0) / groups, 1, -1});
  return reshape(where(sees, parts, 0.0), spread_shape());
}

Tensor Conv2d::per_output(const Tensor& values) const { return reshape(values, {-1, 1, 1}); }

InputGradient Conv2d::input_gradient(const Shape& x) const {
  return [x, options = options_](const Tensor& gy, const Tensor& weight) { return conv2d_input(x, weight, gy, options); };
}

Shape Conv2d::down_shape(Index rank) const { return {rank, in_channels(), weight().size(2), weight().size(3)}; }

Shape Conv2d::up_shape(Index rank) const {
  require(rank % options_.groups == 0, "Conv2d", "the rank ", rank, " of an adapter of ", describe(), " must be a multiple of its groups");
  return {out_channels(), rank / options_.groups, 1, 1};
}

Index Conv2d::fan_in() const { return in_channels() * kernel_size().h * kernel_size().w; }

}  // namespace lora::nn
