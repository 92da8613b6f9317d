#include "nn/activation.hpp"

namespace lora::nn {

Tensor Activation::forward(const Tensor& x) const { return function_(x); }

std::string Activation::describe() const { return std::string(name_) + "()"; }

}  // namespace lora::nn
