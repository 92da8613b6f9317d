#pragma once
// The scalar functions of the CPU: those of pointwise_ops.hpp and binary_ops.hpp, many in a form that vectorises.

#include "kernels/binary_ops.hpp"
#include "kernels/cpu/erf.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/pointwise_ops.hpp"

namespace lora::kernels::LORA_CPU_ISA {

/// What the kernels call for functor `Op`. kVector: whether loops over its value vectorise.
template <class Op>
struct CpuOp : Op {
  static constexpr bool kVector = true;
};

// clang-format off
// A row a function.

template <>
struct CpuOp<unary::abs> : unary::abs {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T) { return kept_if(x > T(0), T(1)) - kept_if(x < T(0), T(1)); }
};
template <>
struct CpuOp<unary::relu> : unary::relu {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T) { return kept_if(x > T(0), T(1)); }
};
template <>
struct CpuOp<unary::exp> : unary::exp {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return fast_exp(x); }
};
template <>
struct CpuOp<unary::expm1> : unary::expm1 {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return fast_expm1(x); }
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T) { return fast_exp(x); }
};
template <>
struct CpuOp<unary::log> : unary::log {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return fast_log(x); }
};
template <>
struct CpuOp<unary::log1p> : unary::log1p {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return fast_log1p(x); }
};
template <>
struct CpuOp<unary::sin> : unary::sin {
  static constexpr bool kVector = false;
};
template <>
struct CpuOp<unary::cos> : unary::cos {
  static constexpr bool kVector = false;
};
template <>
struct CpuOp<unary::tanh> : unary::tanh {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return fast_tanh(x); }
};
template <>
struct CpuOp<unary::erf> : unary::erf {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return fast_erf(x); }
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T) { return T(1.1283791670955126) * fast_exp(-x * x); }
};
template <>
struct CpuOp<unary::sigmoid> : unary::sigmoid {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return fast_sigmoid(x); }
};
template <>
struct CpuOp<unary::silu> : unary::silu {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return x * fast_sigmoid(x); }
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T) {
    const Logistic<T> s = logistic_at(x);
    return mul_add(x, s.slope, s.value);
  }
};
template <>
struct CpuOp<unary::softplus> : unary::softplus {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) {
    return kept_if(x > T(0), x) + fast_log1p(fast_exp(-std::abs(x)));
  }
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T) { return fast_sigmoid(x); }
};
template <>
struct CpuOp<unary::gelu> : unary::gelu {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return x * normal_at(x).cdf; }
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T) {
    const Normal<T> normal = normal_at(x);
    return mul_add(x, normal.pdf, normal.cdf);
  }
};
template <>
struct CpuOp<unary::gelu_tanh> : unary::gelu_tanh {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T twice_u(T x) {
    return x * mul_add(T(0.071354816272600247), x * x, T(1.5957691216057308));
  }
  template <class T> [[gnu::always_inline]] static inline T value(T x) { return x * fast_sigmoid(twice_u(x)); }
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T) {
    x = x > T(30) ? T(30) : x;
    x = x < T(-30) ? T(-30) : x;
    const Logistic<T> s = logistic_at(twice_u(x));
    return mul_add(x * s.slope, mul_add(T(3 * 0.071354816272600247), x * x, T(1.5957691216057308)), s.value);
  }
};

template <>
struct CpuOp<param::pow> : param::pow {
  static constexpr bool kVector = false;
};
template <>
struct CpuOp<param::leaky_relu> : param::leaky_relu {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x, T p, T) { return choose(x > T(0), x, p * x); }
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T p, T) { return choose(x > T(0), T(1), p); }
};
template <>
struct CpuOp<param::elu> : param::elu {
  static constexpr bool kVector = true;
  template <class T> [[gnu::always_inline]] static inline T value(T x, T p, T) { return choose(x > T(0), x, p * fast_expm1(x)); }
  template <class T> [[gnu::always_inline]] static inline T slope(T x, T p, T) { return choose(x > T(0), T(1), p * fast_exp(x)); }
};

template <>
struct CpuOp<binary::pow> : binary::pow {
  static constexpr bool kVector = false;
};

// clang-format on

}  // namespace lora::kernels::LORA_CPU_ISA
