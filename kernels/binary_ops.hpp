#pragma once
// Scalar functions of two numbers with their derivatives, and comparisons, shared by the kernels of all devices.

#include <cmath>
#include <cstdint>

#include "kernels/host_device.hpp"

namespace lora::kernels {

// X-lists: row = name of the enumerator, of the functor and of the public op.
#define LORA_BINARY_OPS(X) X(add) X(sub) X(mul) X(div) X(pow) X(maximum) X(minimum)
#define LORA_COMPARE_OPS(X) X(eq) X(ne) X(lt) X(le)  // gt and ge are lt and le with exchanged operands

#define LORA_ENUMERATOR(op) op,
enum class BinaryOp : std::uint8_t { LORA_BINARY_OPS(LORA_ENUMERATOR) };
enum class CompareOp : std::uint8_t { LORA_COMPARE_OPS(LORA_ENUMERATOR) };
#undef LORA_ENUMERATOR

/// The derivative of `op` with respect to operand 0 (a) or 1 (b).
struct Partial {
  BinaryOp op;
  int operand;
};

// clang-format off
// A row a function.

/// value: y = f(a, b). slope_a, slope_b: dy/da and dy/db.
namespace binary {

struct add {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return a + b; }
  template <class T> LORA_HOST_DEVICE static T slope_a(T, T) { return T(1); }
  template <class T> LORA_HOST_DEVICE static T slope_b(T, T) { return T(1); }
};
struct sub {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return a - b; }
  template <class T> LORA_HOST_DEVICE static T slope_a(T, T) { return T(1); }
  template <class T> LORA_HOST_DEVICE static T slope_b(T, T) { return T(-1); }
};
struct mul {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return a * b; }
  template <class T> LORA_HOST_DEVICE static T slope_a(T, T b) { return b; }
  template <class T> LORA_HOST_DEVICE static T slope_b(T a, T) { return a; }
};
struct div {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return a / b; }
  template <class T> LORA_HOST_DEVICE static T slope_a(T, T b) { return T(1) / b; }
  template <class T> LORA_HOST_DEVICE static T slope_b(T a, T b) { return -(a / b) / b; }
};
struct pow {  // 0^0 = 1, and no dependence on the base there; at a = 0 the value stays 0 as b > 0 changes
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return std::pow(a, b); }
  template <class T> LORA_HOST_DEVICE static T slope_a(T a, T b) { return b == T(0) ? T(0) : b * std::pow(a, b - T(1)); }
  template <class T> LORA_HOST_DEVICE static T slope_b(T a, T b) {
    return a == T(0) && b >= T(0) ? T(0) : std::pow(a, b) * std::log(a);
  }
};
// Equal operands have half of the gradient each. Every NaN is the result, and has the gradient.
struct maximum {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return ((a > b) | (a != a)) ? a : b; }
  template <class T> LORA_HOST_DEVICE static T slope_a(T a, T b) { return T(1) - T(0.5) * T(a == b) - T(a < b); }
  template <class T> LORA_HOST_DEVICE static T slope_b(T a, T b) { return T(1) - T(0.5) * T(a == b) - T(a > b); }
};
struct minimum {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return ((a < b) | (a != a)) ? a : b; }
  template <class T> LORA_HOST_DEVICE static T slope_a(T a, T b) { return T(1) - T(0.5) * T(a == b) - T(a > b); }
  template <class T> LORA_HOST_DEVICE static T slope_b(T a, T b) { return T(1) - T(0.5) * T(a == b) - T(a < b); }
};

}  // namespace binary

/// value: whether a is so to b; NaN differs from everything and has no place in the order.
namespace compare {

struct eq {
  template <class T> LORA_HOST_DEVICE static bool value(T a, T b) { return a == b; }
};
struct ne {
  template <class T> LORA_HOST_DEVICE static bool value(T a, T b) { return a != b; }
};
struct lt {
  template <class T> LORA_HOST_DEVICE static bool value(T a, T b) { return a < b; }
};
struct le {
  template <class T> LORA_HOST_DEVICE static bool value(T a, T b) { return a <= b; }
};

}  // namespace compare

// clang-format on

}  // namespace lora::kernels
