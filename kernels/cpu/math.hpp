#pragma once
// Arithmetic that compilers vectorise and that gives one value for an element wherever it stands, in a vector or in a remainder.

#include <bit>
#include <cstdint>

#include "kernels/pointwise_ops.hpp"

namespace lora::kernels::LORA_CPU_ISA {

/// a b + c with the one rounding that this instruction set is fast at.
template <class T>
[[gnu::always_inline]] inline T mul_add(T a, T b, T c) {
#ifdef __FMA__
  if constexpr (sizeof(T) == 4) {
    return __builtin_fmaf(a, b, c);
  } else {
    return __builtin_fma(a, b, c);
  }
#else
  return a * b + c;
#endif
}

/// How the two floating types differ.
template <class T>
struct FloatTraits;

template <>
struct FloatTraits<float> {
  using Bits = std::uint32_t;
  static constexpr int kMantissa = 23, kBias = 127, kDegree = 7;
  static constexpr float kRound = 0x1.8p23f;                                 // adding it rounds to a whole number in the low bits
  static constexpr float kMin = -104, kMax = 89;                             // outside exp is 0 or infinity
  static constexpr float kLn2High = 0x1.63p-1f, kLn2Low = -0x1.bd0106p-13f;  // the high part times a whole number is exact
};

template <>
struct FloatTraits<double> {
  using Bits = std::uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023, kDegree = 13;
  static constexpr double kRound = 0x1.8p52;
  static constexpr double kMin = -746, kMax = 710;
  static constexpr double kLn2High = 0x1.62e42fefap-1, kLn2Low = 0x1.cf79abc9e3b3ap-40;
};

/// `value`, or 0 unless `keep`: a mask, as g++ makes a branch of a choice that AVX-512 does not have as an instruction.
template <class T>
[[gnu::always_inline]] inline T kept_if(bool keep, T value) {
  using Bits = typename FloatTraits<T>::Bits;
  return std::bit_cast<T>(static_cast<Bits>(std::bit_cast<Bits>(value) & (Bits{0} - static_cast<Bits>(keep))));
}

/// 2^n for the whole number n that `rounded` = n + kRound holds; -bias < n <= bias.
template <class T>
[[gnu::always_inline]] inline T power_of_two(T rounded) {
  using Traits = FloatTraits<T>;
  using Bits = typename Traits::Bits;
  const Bits n = std::bit_cast<Bits>(rounded) - std::bit_cast<Bits>(Traits::kRound);
  return std::bit_cast<T>(static_cast<Bits>((n + Traits::kBias) << Traits::kMantissa));
}

/// e^x to about one unit in the last place; overflow, underflow, infinities and NaN as std::exp has them.
///   x = n ln 2 + r, |r| <= ln 2 / 2;  e^x = 2^(n/2) 2^(n - n/2) e^r, e^r by its Taylor series
template <class T>
[[gnu::always_inline]] inline T fast_exp(T x) {
  using Traits = FloatTraits<T>;
  x = x < Traits::kMin ? Traits::kMin : x;
  x = x > Traits::kMax ? Traits::kMax : x;
  const T n = mul_add(x, T(1.4426950408889634), Traits::kRound) - Traits::kRound;
  const T r = mul_add(n, -Traits::kLn2Low, mul_add(n, -Traits::kLn2High, x));
  T series = T(1);
#pragma GCC unroll 16
  for (int k = Traits::kDegree; k > 0; --k) {
    series = mul_add(series, r * T(1.0 / k), T(1));
  }
  const T half = mul_add(n, T(0.5), Traits::kRound);
  const T other = n - (half - Traits::kRound);
  return series * power_of_two<T>(half) * power_of_two<T>(other + Traits::kRound);
}

/// The scalar functions of the CPU: those of pointwise_ops.hpp, some in a form that vectorises. kVector: loops over value do.
template <class Op>
struct CpuOp : Op {
  static constexpr bool kVector = true;
};

template <>
struct CpuOp<kernels::unary::relu> : kernels::unary::relu {
  static constexpr bool kVector = true;
  template <class T>
  [[gnu::always_inline]] static inline T slope(T x, T) {
    return kept_if(x > T(0), T(1));
  }
};

template <>
struct CpuOp<kernels::unary::exp> : kernels::unary::exp {
  static constexpr bool kVector = true;
  template <class T>
  [[gnu::always_inline]] static inline T value(T x) {
    return fast_exp(x);
  }
};

template <>
struct CpuOp<kernels::unary::sigmoid> : kernels::unary::sigmoid {
  static constexpr bool kVector = true;
  template <class T>
  [[gnu::always_inline]] static inline T value(T x) {
    const T e = fast_exp(x < T(0) ? x : -x);
    return (x < T(0) ? e : T(1)) / (T(1) + e);
  }
};

template <>
struct CpuOp<kernels::unary::log> : kernels::unary::log {
  static constexpr bool kVector = false;
};

template <>
struct CpuOp<kernels::unary::tanh> : kernels::unary::tanh {
  static constexpr bool kVector = false;
};

}  // namespace lora::kernels::LORA_CPU_ISA
