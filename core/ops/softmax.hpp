#pragma once
// Softmax and its logarithm.

#include "core/tensor.hpp"

namespace lora {

/// e^x / sum(e^x) along axis `dim`, without overflow.
/// @param x  f32, f64, any strides; a scalar counts as one element
/// @return shape and layout of x; NaN along lines that hold NaN or infinity, or -infinity alone. @grad x; saves the result
Tensor softmax(const Tensor& x, Index dim);

/// x - log(sum(e^x)) along axis `dim`: the logarithm of softmax, exact where that underflows. Otherwise as softmax.
Tensor log_softmax(const Tensor& x, Index dim);

}  // namespace lora
