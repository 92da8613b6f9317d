#pragma once
// Masks: comparisons, logic, and choosing by a mask. Everything broadcasts by NumPy's rule; masks are bool and take no part in gradients.

#include "core/tensor.hpp"

namespace lora {

// Operands are of one dtype, any; NaN differs from everything and is neither less nor greater.
Tensor eq(const Tensor& a, const Tensor& b);  ///< a == b
Tensor ne(const Tensor& a, const Tensor& b);  ///< a != b
Tensor lt(const Tensor& a, const Tensor& b);  ///< a < b
Tensor le(const Tensor& a, const Tensor& b);  ///< a <= b
Tensor gt(const Tensor& a, const Tensor& b);  ///< a > b
Tensor ge(const Tensor& a, const Tensor& b);  ///< a >= b

// With a number, which is rounded to x's dtype if that is floating, as in PyTorch; integers are compared with the number itself.
Tensor eq(const Tensor& x, double value);  ///< x == value
Tensor ne(const Tensor& x, double value);  ///< x != value
Tensor lt(const Tensor& x, double value);  ///< x < value
Tensor le(const Tensor& x, double value);  ///< x <= value
Tensor gt(const Tensor& x, double value);  ///< x > value
Tensor ge(const Tensor& x, double value);  ///< x >= value

Tensor isnan(const Tensor& x);     ///< x is NaN
Tensor isinf(const Tensor& x);     ///< x is infinity or -infinity
Tensor isfinite(const Tensor& x);  ///< x is neither NaN nor infinite

// Operands of any dtype; all but 0 is true.
Tensor logical_not(const Tensor& x);                   ///< not x
Tensor logical_and(const Tensor& a, const Tensor& b);  ///< a and b
Tensor logical_or(const Tensor& a, const Tensor& b);   ///< a or b
Tensor logical_xor(const Tensor& a, const Tensor& b);  ///< a or b, not both

/// y = condition ? a : b.
/// @param condition  bool. @param a,b  of one dtype, any. @return the dtype of a
/// @throws Error if the dtypes are others. @grad a and b (f32, f64): gy where it was chosen, else 0; saves the condition
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, double b);  ///< b as a number of a's dtype
Tensor where(const Tensor& condition, double a, const Tensor& b);  ///< a as a number of b's dtype

/// x, with `value` where the mask is true.
/// @param mask  bool, broadcast to the shape of x. @grad x: 0 where the mask is true
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

}  // namespace lora
