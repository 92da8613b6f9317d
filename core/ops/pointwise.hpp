#pragma once
// Element-wise functions and arithmetic. Operands are f32 or f64 in one dtype and broadcast by NumPy's rule; all have gradients.
// Results keep the order of axes in memory that the (first full-sized) operand has.

#include "core/tensor.hpp"

namespace lora {

Tensor neg(const Tensor& x);      ///< -x
Tensor relu(const Tensor& x);     ///< max(x, 0); the gradient at 0 is 0
Tensor exp(const Tensor& x);      ///< e^x
Tensor log(const Tensor& x);      ///< natural logarithm
Tensor sqrt(const Tensor& x);     ///< square root
Tensor tanh(const Tensor& x);     ///< hyperbolic tangent
Tensor sigmoid(const Tensor& x);  ///< 1 / (1 + e^-x)

Tensor add(const Tensor& a, const Tensor& b);  ///< a + b
Tensor sub(const Tensor& a, const Tensor& b);  ///< a - b
Tensor mul(const Tensor& a, const Tensor& b);  ///< a b
Tensor div(const Tensor& a, const Tensor& b);  ///< a / b

/// scale x + shift, in one pass.
Tensor affine(const Tensor& x, double scale, double shift);

inline Tensor operator-(const Tensor& x) { return neg(x); }
inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& x, double shift) { return affine(x, 1.0, shift); }
inline Tensor operator-(const Tensor& x, double shift) { return affine(x, 1.0, -shift); }
inline Tensor operator*(const Tensor& x, double scale) { return affine(x, scale, 0.0); }
inline Tensor operator/(const Tensor& x, double divisor) { return affine(x, 1.0 / divisor, 0.0); }
inline Tensor operator+(double shift, const Tensor& x) { return affine(x, 1.0, shift); }
inline Tensor operator-(double shift, const Tensor& x) { return affine(x, -1.0, shift); }
inline Tensor operator*(double scale, const Tensor& x) { return affine(x, scale, 0.0); }

}  // namespace lora
