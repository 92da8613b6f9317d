#pragma once
// Reductions over axes. Without axes (an empty list) each element is reduced by itself.

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

/// Largest element over the axes `dims`, none of them empty; NaN if one is. f32, f64.
/// @grad x: elements that tie share it equally. Saves x and the result
Tensor amax(const Tensor& x, const Shape& dims, bool keepdim = false);
/// Largest of all elements, a scalar. @grad x
Tensor amax(const Tensor& x);

/// Smallest element, otherwise as amax. @grad x
Tensor amin(const Tensor& x, const Shape& dims, bool keepdim = false);
/// Smallest of all elements, a scalar. @grad x
Tensor amin(const Tensor& x);

/// Variance over the axes `dims`:  sum( (x - mean(x))^2 ) / max(0, n - correction)  of n elements, in two passes with sums in double.
/// @param x  f32, f64. @param correction  1 for the unbiased estimate of a sample, 0 for the variance of all there is
/// @return NaN where n <= correction, unless the elements differ: then infinity. @grad x, which it saves with the mean
Tensor var(const Tensor& x, const Shape& dims, double correction = 1.0, bool keepdim = false);
/// Unbiased variance of all elements, a scalar. @grad x
Tensor var(const Tensor& x);

/// Standard deviation, the square root of var(). Written lora::std() where a using-directive brings in both this and the namespace std.
/// @grad x; 0 where the deviation is 0
Tensor std(const Tensor& x, const Shape& dims, double correction = 1.0, bool keepdim = false);
/// Standard deviation of all elements, a scalar. @grad x
Tensor std(const Tensor& x);

/// Vector norm over the axes `dims`:  ord 1 sum |x|, ord 2 sqrt(sum x^2), ord infinity max |x|.
/// @param x  f32, f64; an empty norm is 0, with ord infinity an error. @throws Error if ord is none of these
/// @grad x; 0 where the norm is 0; with ord infinity elements that tie share it. Saves x and the result
Tensor norm(const Tensor& x, double ord, const Shape& dims, bool keepdim = false);
/// Norm of all elements, a scalar. @grad x
Tensor norm(const Tensor& x, double ord = 2.0);

/// log(sum(e^x)) over the axes `dims` without overflow. f32, f64; of nothing, or of -infinity alone, it is -infinity.
/// @grad x, as e^(x - result): NaN where the result is infinite and x is as well. Saves x and the result
Tensor logsumexp(const Tensor& x, const Shape& dims, bool keepdim = false);

/// Index of the first largest element along an axis (NaN counts as largest). x f32, f64; the axis is not empty; gives i64 without that
/// axis. No gradient.
Tensor argmax(const Tensor& x, Index dim = -1);
/// Index of the first smallest element (NaN counts as smallest), otherwise as argmax.
Tensor argmin(const Tensor& x, Index dim = -1);

}  // namespace lora
