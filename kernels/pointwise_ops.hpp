#pragma once
// Scalar functions with their derivatives, shared by the kernels of all devices. A new one is a row in a list and a functor.

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define LORA_HOST_DEVICE __host__ __device__
#else
#define LORA_HOST_DEVICE
#endif

namespace lora::kernels {

// X-lists: row = name of the enumerator, of the functor and of the public op.
#define LORA_UNARY_OPS(X) X(neg) X(relu) X(exp) X(log) X(sqrt) X(tanh) X(sigmoid)
#define LORA_BINARY_OPS(X) X(add) X(sub) X(mul) X(div)

#define LORA_ENUMERATOR(op) op,
enum class UnaryOp : std::uint8_t { LORA_UNARY_OPS(LORA_ENUMERATOR) };
enum class BinaryOp : std::uint8_t { LORA_BINARY_OPS(LORA_ENUMERATOR) };
#undef LORA_ENUMERATOR

/// Which of x and y a slope looks at; the op saves only that one and passes it as both.
enum class Needs : std::uint8_t { input, output };

// clang-format off
// A row a function.

/// value: y = f(x). slope: dy/dx from x or from y = f(x), whichever `needs` names.
namespace unary {

struct neg {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return -x; }
  template <class T> LORA_HOST_DEVICE static T slope(T, T) { return T(-1); }
};
struct relu {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return x < T(0) ? T(0) : x; }  // keeps NaN
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return y > T(0) ? T(1) : T(0); }
};
struct exp {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::exp(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return y; }
};
struct log {
  static constexpr Needs needs = Needs::input;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::log(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T x, T) { return T(1) / x; }
};
struct sqrt {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::sqrt(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return T(0.5) / y; }
};
struct tanh {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) { return std::tanh(x); }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return T(1) - y * y; }
};
struct sigmoid {
  static constexpr Needs needs = Needs::output;
  template <class T> LORA_HOST_DEVICE static T value(T x) {  // exp of a negative number only: no overflow
    const T e = std::exp(x < T(0) ? x : -x);
    return (x < T(0) ? e : T(1)) / (T(1) + e);
  }
  template <class T> LORA_HOST_DEVICE static T slope(T, T y) { return y * (T(1) - y); }
};

}  // namespace unary

namespace binary {

struct add {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return a + b; }
};
struct sub {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return a - b; }
};
struct mul {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return a * b; }
};
struct div {
  template <class T> LORA_HOST_DEVICE static T value(T a, T b) { return a / b; }
};

}  // namespace binary

// clang-format on

}  // namespace lora::kernels
