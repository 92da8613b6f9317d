#pragma once
// Initial values of parameters, as PyTorch's layers have them.

#include "core/base/rng.hpp"
#include "core/tensor.hpp"

namespace lora::nn {

/// Uniform in +-1/sqrt(fan_in): what kaiming_uniform(a = sqrt 5) comes to, PyTorch's default for weights and biases of Linear and
/// convolutions, and PEFT's for lora_A. With fan_in 0 all values are 0.
/// @source He et al. 2015, arXiv:1502.01852
Tensor kaiming_uniform(const Shape& shape, Index fan_in, DType dtype = DType::f32, Generator& generator = default_generator());

}  // namespace lora::nn
