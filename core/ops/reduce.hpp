#pragma once
// Reductions over axes.

#include "core/tensor.hpp"

namespace lora {

/// Sum over the axes `dims`; with keepdim they stay, with size 1. f32, f64; an empty sum is 0. @grad x
Tensor sum(const Tensor& x, const Shape& dims, bool keepdim = false);
/// Sum of all elements, a scalar. @grad x
Tensor sum(const Tensor& x);

/// Mean over the axes `dims`. f32, f64; an empty mean is NaN. @grad x
Tensor mean(const Tensor& x, const Shape& dims, bool keepdim = false);
/// Mean of all elements, a scalar. @grad x
Tensor mean(const Tensor& x);

/// Sums x over the axes that broadcasting from `shape` repeated: the inverse of expand(). x itself if there are none.
Tensor sum_to(const Tensor& x, const Shape& shape);

/// Index of the first largest element along an axis (NaN counts as largest). x f32, f64; the axis is not empty; gives i64 without that
/// axis. No gradient.
Tensor argmax(const Tensor& x, Index dim = -1);

}  // namespace lora
