#pragma once
// The convolution layer.

#include "core/ops/conv.hpp"
#include "nn/adaptable.hpp"

namespace lora::nn {

/// y = conv2d(x, weight, bias), x [N, in, H, W], weight [out, in / groups, kh, kw], bias [out]. Both start uniform in +-1/sqrt(inputs of
/// one output), drawn from the default generator.
///
/// Adapters of rank r have the shapes of PEFT: down is a convolution over all inputs, [r, in, kh, kw], with the layer's stride, padding
/// and dilation; up is one of single pixels, [out, r / groups, 1, 1], in the layer's groups.
class Conv2d final : public AdaptableLayer {
 public:
  /// @throws Error if a size is not positive or the groups do not divide the channels
  Conv2d(Index in_channels, Index out_channels, Size2d kernel_size, const Conv2dOptions& options = {}, bool bias = true,
         DType dtype = DType::f32);

  Index in_channels() const { return in_channels_; }
  Index out_channels() const { return weight_shape()[0]; }
  Size2d kernel_size() const { return {weight_shape()[2], weight_shape()[3]}; }
  const Conv2dOptions& options() const { return options_; }
  std::string describe() const override;

  Tensor apply(const Tensor& x, const Tensor& weight, const Tensor& bias = {}) const override;
  Tensor down(const Tensor& x, const Tensor& a) const override;
  Tensor up(const Tensor& h, const Tensor& b, double scale, const Tensor& addend) const override;
  Tensor outer(const Tensor& b, const Tensor& a) const override;
  /// [out, in, kh, kw] of a grouped weight.
  Tensor spread(const Tensor& weight) const override;
  Index groups() const override { return options_.groups; }
  Tensor per_output(const Tensor& values) const override;
  InputGradient input_gradient(const Shape& x) const override;
  Shape down_shape(Index rank) const override;
  /// @throws Error if groups do not divide the rank
  Shape up_shape(Index rank) const override;
  Index fan_in() const override;

 private:
  bool is_spread(const Tensor& weight) const;
  Shape spread_shape() const;

  Index in_channels_;
  Conv2dOptions options_;
};

}  // namespace lora::nn
