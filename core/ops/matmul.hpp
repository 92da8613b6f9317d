#pragma once
// Matrix products.

#include "core/tensor.hpp"

namespace lora {

/// The product of the last two axes, [..,m,k] x [..,k,n] -> [..,m,n]; leading axes broadcast. A vector counts as a row on the left and a
/// column on the right, and its axis is dropped from the result, as in PyTorch.
/// @param a,b  f32 or f64, one dtype; any strides (a transpose costs nothing). @throws Error if the inner sizes differ
/// @grad a and b; saves both
Tensor matmul(const Tensor& a, const Tensor& b);

/// y = x weight^T + bias.
/// @param x  [.., in]. @param weight  [out, in]. @param bias  [out], or undefined for none. @return [.., out]
/// @grad x, weight and bias, each only if it takes part; saves x (for weight) and weight (for x)
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

/// y = addend + scale x weight^T, in one pass over y.
/// @param addend  broadcasts to [.., out]. Otherwise as linear()
Tensor linear_add(const Tensor& addend, const Tensor& x, const Tensor& weight, double scale = 1.0);

}  // namespace lora
