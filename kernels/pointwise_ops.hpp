#pragma once
// Scalar functions of one number with their derivatives, shared by the kernels of all devices. A new one is a row in a list and a functor.

#include <cmath>
#include <cstdint>

#include "kernels/host_device.hpp"

namespace lora::kernels {

// X-lists: row = name of the enumerator, of the functor and of the public op.
// clang-format off
#define LORA_UNARY_OPS(X)                                                                                      \
  X(neg) X(abs) X(square) X(reciprocal) X(sqrt) X(rsqrt) X(exp) X(expm1) X(log) X(log1p) X(sin) X(cos) X(tanh) \
  X(erf) X(relu) X(sigmoid) X(silu) X(softplus) X(gelu) X(gelu_tanh)
// clang-format on
#define LORA_PARAM_OPS(X) X(clamp) X(hardtanh) X(pow) X(leaky_relu) X(elu)

#define LORA_ENUMERATOR(op) op,
enum class UnaryOp : std::uint8_t { LORA_UNARY_OPS(LORA_ENUMERATOR) };
enum class ParamOp : std::uint8_t { LORA_PARAM_OPS(LORA_ENUMERATOR) };
#undef LORA_ENUMERATOR

/// Which of x and y a slope looks at; the op saves only that one and passes it as both.
enum class Needs : std::uint8_t { input, output };

/// A function of one number with up to two constants.
struct Parametric {
  ParamOp op;
  double p = 0, q = 0;
};

// clang-format off
// A row a function.

/// value: y = f(x). slope: dy/dx from x or from y = f(x), whichever `needs` names.
namespace unary {

struct neg {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return -x; }
  template <class T> LORA_HOST_DEVICE static T slope(T, T) { return T(-1); }
};
struct abs {
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::abs(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return T(x > T(0)) - T(x < T(0)); }
};
struct square {
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return x * x; }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return T(2) * x; }
};
struct reciprocal {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return T(1) / x; }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return -y * y; }
};
struct sqrt {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::sqrt(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return T(0.5) / y; }
};
struct rsqrt {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return T(1) / std::sqrt(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return T(-0.5) * y * y * y; }
};
struct exp {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::exp(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return y; }
};
struct expm1 {  // y + 1 would cancel where y is near -1
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::expm1(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return std::exp(x); }
};
struct log {
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::log(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return T(1) / x; }
};
struct log1p {
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::log1p(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return T(1) / (T(1) + x); }
};
struct sin {
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::sin(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return std::cos(x); }
};
struct cos {
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::cos(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return -std::sin(x); }
};
struct tanh {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::tanh(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return T(1) - y * y; }
};
struct erf {
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::erf(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return T(1.1283791670955126) * std::exp(-x * x); }  // 2 / sqrt(pi)
};
struct relu {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return x < T(0) ? T(0) : x; }  // keeps NaN
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return y > T(0) ? T(1) : T(0); }
};
struct sigmoid {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) {  // exp of a negative number only: no overflow
    const T e = std::exp(x < T(0) ? x : -x);
    return (x < T(0) ? e : T(1)) / (T(1) + e);
  }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return y * (T(1) - y); }
};
struct silu {  // 1 - sigmoid(x) is sigmoid(-x), which does not cancel
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return x * sigmoid::value(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) {
    const T s = sigmoid::value(x);
    return s + x * (s * sigmoid::value(-x));
  }
};
struct softplus {
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return (x < T(0) ? T(0) : x) + std::log1p(std::exp(-std::abs(x))); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return sigmoid::value(x); }
};
struct gelu {  // x Phi(x); by erfc, as 1 + erf cancels for negative x
  static constexpr Needs needs = Needs::input;
  // Both functions multiply the relative error of their argument by about x^2: what its rounding lost is added.
  template <class T> LORA_HOST_DEVICE static T bell(T x) {  // e^(-x^2 / 2)
    const T square = x * x, e = std::exp(T(-0.5) * square);
    return e > T(0) ? e - T(0.5) * e * std::fma(x, x, -square) : e;
  }
  template <class T> LORA_HOST_DEVICE static T cdf(T x) {
    constexpr T kRoot = T(-0.70710678118654752);  // -sqrt(1/2), and what is missing there
    constexpr T kRest = sizeof(T) == 4 ? T(-0.70710678118654752 - double(kRoot)) : T(4.8336466567264565e-17);
    const T z = x * kRoot, e = std::exp(-z * z);
    const T lost = e > T(0) ? std::fma(x, kRoot, -z) + x * kRest : T(0);
    return T(0.5) * (std::erfc(z) - T(1.1283791670955126) * e * lost);  // 2 / sqrt(pi)
  }
  template <class T> LORA_HOST_DEVICE static T value(T x) { return x * cdf(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return cdf(x) + x * (T(0.39894228040143268) * bell(x)); }  // 1 / sqrt(2 pi)
};
struct gelu_tanh {  // x (1 + tanh u) / 2 = x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T twice_u(T x) {
    return x * (T(1.5957691216057308) + T(0.071354816272600247) * (x * x));  // 2 sqrt(2 / pi) and 0.044715 times that
  }
  template <class T> LORA_HOST_DEVICE static T value(T x) { return x * sigmoid::value(twice_u(x)); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) {
    x = x > T(30) ? T(30) : x;  // beyond, the slope is 0 or 1 to the last bit, and x^3 may overflow
    x = x < T(-30) ? T(-30) : x;
    const T s = sigmoid::value(twice_u(x)), factor = T(1.5957691216057308) + T(3 * 0.071354816272600247) * (x * x);
    return s + x * (s * sigmoid::value(-twice_u(x)) * factor);
  }
};

}  // namespace unary

/// value: y = f(x; p, q). slope: dy/dx from x.
namespace param {

struct clamp {  // into p..q
  template <class T> LORA_HOST_DEVICE static T value(T x, T p, T q) {
    const T above = x < p ? p : x;  // keeps NaN
    return above > q ? q : above;
  }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T p, T q) { return T((x >= p) & (x <= q)); }
};
struct hardtanh : clamp {  // clamp, with the gradient 0 at the bounds
  template <class T> LORA_HOST_DEVICE static T slope(T x, T p, T q) { return T(1) - T((x <= p) | (x >= q)); }
};
struct pow {  // x^p
  template <class T> LORA_HOST_DEVICE static T value(T x, T p, T) { return std::pow(x, p); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T p, T) { return p == T(0) ? T(0) : p * std::pow(x, p - T(1)); }
};
struct leaky_relu {  // x, or p x for x <= 0
  template <class T> LORA_HOST_DEVICE static T value(T x, T p, T) { return x > T(0) ? x : p * x; }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T p, T) { return x > T(0) ? T(1) : p; }
};
struct elu {  // x, or p (e^x - 1) for x <= 0
  template <class T> LORA_HOST_DEVICE static T value(T x, T p, T) { return x > T(0) ? x : p * std::expm1(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T p, T) { return x > T(0) ? T(1) : p * std::exp(x); }
};

}  // namespace param

// clang-format on

}  // namespace lora::kernels
