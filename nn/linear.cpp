#include "nn/linear.hpp"

#include "core/ops/matmul.hpp"
#include "nn/init.hpp"

namespace lora::nn {

Linear::Linear(Index in_features, Index out_features, bool bias, DType dtype)
    // braces: the weight is drawn before the bias
    : AdaptableLayer{kaiming_uniform({out_features, in_features}, in_features, dtype),
                     bias ? kaiming_uniform({out_features}, in_features, dtype) : Tensor{}} {}

std::string Linear::describe() const {
  return "Linear(" + std::to_string(in_features()) + ", " + std::to_string(out_features()) + (bias().defined() ? ")" : ", bias=false)");
}

Tensor Linear::apply(const Tensor& x, const Tensor& weight, const Tensor& bias) const { return linear(x, weight, bias); }

Tensor Linear::down(const Tensor& x, const Tensor& a) const { return linear(x, a); }

Tensor Linear::up(const Tensor& h, const Tensor& b, double scale, const Tensor& addend) const { return linear_add(addend, h, b, scale); }

InputGradient Linear::input_gradient(const Shape&) const {
  return [](const Tensor& gy, const Tensor& weight) { return matmul(gy, weight); };
}

Tensor Linear::outer(const Tensor& b, const Tensor& a) const { return matmul(b, a); }

}  // namespace lora::nn
