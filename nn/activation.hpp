#pragma once
// Activation functions as layers, for containers. ReLU is in nn/layers.hpp.

#include "core/ops/pointwise.hpp"
#include "nn/module.hpp"

namespace lora::nn {

/// A layer without parameters whose function is applied to each element.
class Activation : public Module {
 public:
  using Function = Tensor (*)(const Tensor& x);
  Tensor forward(const Tensor& x) const final;
  std::string describe() const final;

 protected:
  Activation(std::string_view name, Function function) : name_(name), function_(function) {}

 private:
  std::string_view name_;
  Function function_;
};

/// 1 / (1 + e^-x).
class Sigmoid final : public Activation {
 public:
  Sigmoid() : Activation("Sigmoid", sigmoid) {}
};

/// x / (1 + e^-x).
class SiLU final : public Activation {
 public:
  SiLU() : Activation("SiLU", silu) {}
};

/// x Phi(x), or its approximation by tanh.
class GELU final : public Activation {
 public:
  explicit GELU(GeluApproximate approximate = GeluApproximate::none)
      : Activation("GELU", approximate == GeluApproximate::tanh ? Function{gelu_tanh} : Function{gelu}) {}
};

/// Hyperbolic tangent.
class Tanh final : public Activation {
 public:
  Tanh() : Activation("Tanh", tanh) {}
};

}  // namespace lora::nn
