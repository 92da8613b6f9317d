#pragma once
// Element-wise functions and arithmetic. Operands are f32 or f64 in one dtype and broadcast by NumPy's rule; all have gradients.
// Results keep the order of axes in memory that the (first full-sized) operand has. NaN stays NaN.

#include <optional>

#include "core/tensor.hpp"

namespace lora {

Tensor neg(const Tensor& x);         ///< -x
Tensor abs(const Tensor& x);         ///< |x|; the gradient at 0 is 0
Tensor square(const Tensor& x);      ///< x^2
Tensor reciprocal(const Tensor& x);  ///< 1 / x
Tensor sqrt(const Tensor& x);        ///< square root
Tensor rsqrt(const Tensor& x);       ///< 1 / sqrt(x)
Tensor exp(const Tensor& x);         ///< e^x
Tensor expm1(const Tensor& x);       ///< e^x - 1, without cancellation near 0
Tensor log(const Tensor& x);         ///< natural logarithm
Tensor log1p(const Tensor& x);       ///< ln(1 + x), without cancellation near 0
Tensor sin(const Tensor& x);         ///< sine of x radians
Tensor cos(const Tensor& x);         ///< cosine of x radians
Tensor tanh(const Tensor& x);        ///< hyperbolic tangent
Tensor erf(const Tensor& x);         ///< error function, 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x

Tensor relu(const Tensor& x);       ///< max(x, 0); the gradient at 0 is 0
Tensor sigmoid(const Tensor& x);    ///< 1 / (1 + e^-x)
Tensor silu(const Tensor& x);       ///< x sigmoid(x)
Tensor softplus(const Tensor& x);   ///< ln(1 + e^x), to the last digits for every x (PyTorch gives x above 20)
Tensor gelu(const Tensor& x);       ///< x Phi(x), Phi the normal distribution. @source Hendrycks & Gimpel 2016, arXiv:1606.08415
Tensor gelu_tanh(const Tensor& x);  ///< x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2, about gelu(x)

/// PyTorch's `approximate` of gelu: "none" and "tanh".
enum class GeluApproximate { none, tanh };

/// gelu(x) or gelu_tanh(x).
Tensor gelu(const Tensor& x, GeluApproximate approximate);

/// x, or p x where x <= 0, with p = negative_slope.
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);

/// x, or alpha (e^x - 1) where x <= 0.
/// @source Clevert et al. 2015, arXiv:1511.07289
Tensor elu(const Tensor& x, double alpha = 1.0);

/// min(max(x, min), max); either bound may be left out, but not both. @throws Error if a bound is NaN
/// @grad 1 from bound to bound, both included; else 0
Tensor clamp(const Tensor& x, std::optional<double> min, std::optional<double> max = std::nullopt);

/// clamp(x, min, max) with the gradient 0 at the bounds. @throws Error unless min <= max
Tensor hardtanh(const Tensor& x, double min = -1.0, double max = 1.0);

/// x^exponent; x^0 is 1. Exponents 2, 1/2 and -1 are square, sqrt and reciprocal.
Tensor pow(const Tensor& x, double exponent);

Tensor add(const Tensor& a, const Tensor& b);  ///< a + b
Tensor sub(const Tensor& a, const Tensor& b);  ///< a - b
Tensor mul(const Tensor& a, const Tensor& b);  ///< a b
Tensor div(const Tensor& a, const Tensor& b);  ///< a / b

/// a^b; x^0 is 1. @grad a: 0 where b = 0. b: a^b ln a, 0 where a = 0 and b >= 0, NaN where a < 0
Tensor pow(const Tensor& a, const Tensor& b);
Tensor pow(double base, const Tensor& exponent);  ///< base^exponent

Tensor maximum(const Tensor& a, const Tensor& b);  ///< the larger; equal ones have half of the gradient each, NaN wins
Tensor minimum(const Tensor& a, const Tensor& b);  ///< the smaller; equal ones have half of the gradient each, NaN wins

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
inline Tensor operator/(double dividend, const Tensor& x) { return affine(reciprocal(x), dividend, 0.0); }

}  // namespace lora
