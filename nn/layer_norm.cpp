#include "nn/layer_norm.hpp"

#include <sstream>

#include "core/ops/norm.hpp"

namespace lora::nn {

LayerNorm::LayerNorm(const Shape& normalized_shape, double eps, bool elementwise_affine, DType dtype)
    : normalized_shape_(normalized_shape), eps_(eps) {
  require(!normalized_shape.empty(), "LayerNorm", "needs at least one axis to normalise over");
  require(eps >= 0.0, "LayerNorm", "eps is ", eps, "; it must be 0 or more");
  if (elementwise_affine) {
    weight_ = param("weight", ones(normalized_shape, dtype));
    bias_ = param("bias", zeros(normalized_shape, dtype));
  }
}

Tensor LayerNorm::forward(const Tensor& x) const { return layer_norm(x, normalized_shape_, weight_, bias_, eps_); }

std::string LayerNorm::describe() const {
  std::ostringstream text;
  text << "LayerNorm(" << normalized_shape_ << (weight_.defined() ? ")" : ", elementwise_affine=false)");
  return std::move(text).str();
}

}  // namespace lora::nn
