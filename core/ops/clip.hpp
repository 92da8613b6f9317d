#pragma once
// What clipping gradients needs: sums of powers over whole tensors, and changes in place. None of it takes part in gradients.

#include <span>

#include "core/tensor.hpp"

namespace lora {

/// For each tensor the sum of |x|^p over all elements, or the largest |x| for an infinite p; 0 without elements, NaN where one is NaN.
/// Taken in double, so that squares of f32 do not overflow; one pass, and nothing waits for the device.
/// @param xs  f32 or f64 of any strides, on one device. @param p  > 0. @return f64 [number of tensors]
/// @throws Error on other types, different devices or p
Tensor abs_power_sums(std::span<const Tensor> xs, double p);

/// x *= factor, in place. @param x  f32 or f64, contiguous. @throws Error otherwise
void mul_(Tensor& x, double factor);

/// x = min(max(x, min), max), in place; NaN stays. @param x  f32 or f64, contiguous. @throws Error otherwise, or unless min <= max
void clamp_(Tensor& x, double min, double max);

}  // namespace lora
