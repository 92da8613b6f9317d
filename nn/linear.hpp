#pragma once
// The fully connected layer.

#include "nn/adaptable.hpp"

namespace lora::nn {

/// y = x weight^T + bias, x [.., in], weight [out, in], bias [out]. Both start uniform in +-1/sqrt(in), drawn from the default generator.
class Linear final : public AdaptableLayer {
 public:
  Linear(Index in_features, Index out_features, bool bias = true, DType dtype = DType::f32);

  Index in_features() const { return weight_shape()[1]; }
  Index out_features() const { return weight_shape()[0]; }
  std::string describe() const override;

  Tensor apply(const Tensor& x, const Tensor& weight, const Tensor& bias = {}) const override;
  Tensor down(const Tensor& x, const Tensor& a) const override;
  Tensor up(const Tensor& h, const Tensor& b, double scale, const Tensor& addend) const override;
  Tensor outer(const Tensor& b, const Tensor& a) const override;
  Tensor per_output(const Tensor& values) const override { return values; }
  InputGradient input_gradient(const Shape& x) const override;
  Shape down_shape(Index rank) const override { return {rank, in_features()}; }
  Shape up_shape(Index rank) const override { return {out_features(), rank}; }
  Index fan_in() const override { return in_features(); }
};

}  // namespace lora::nn
