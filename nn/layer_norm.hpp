#pragma once
// Layer normalisation.

#include "nn/module.hpp"

namespace lora::nn {

/// y = (x - mean) / sqrt(var + eps) * weight + bias, mean and biased variance over the last axes of x [.., normalized_shape].
/// Parameters weight (ones) and bias (zeros) of shape normalized_shape, none without elementwise_affine.
/// @source Ba, Kiros & Hinton 2016, arXiv:1607.06450
class LayerNorm final : public Module {
 public:
  explicit LayerNorm(const Shape& normalized_shape, double eps = 1e-5, bool elementwise_affine = true, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  Shape normalized_shape_;
  double eps_;
  Tensor weight_, bias_;
};

}  // namespace lora::nn
