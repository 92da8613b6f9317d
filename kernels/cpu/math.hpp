#pragma once
// Arithmetic that compilers vectorise and that gives one value for an element wherever it stands, in a vector or in a remainder.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

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
  static constexpr int kMantissa = 23, kBias = 127, kDegree = 7, kArtanh = 5;
  static constexpr float kRound = 0x1.8p23f;                                 // adding it rounds to a whole number in the low bits
  static constexpr float kMin = -104, kMax = 89;                             // outside exp is 0 or infinity
  static constexpr float kLn2High = 0x1.63p-1f, kLn2Low = -0x1.bd0106p-13f;  // the high part times a whole number is exact
};

template <>
struct FloatTraits<double> {
  using Bits = std::uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023, kDegree = 13, kArtanh = 10;
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

/// One of two values that are both at hand.
template <class T>
[[gnu::always_inline]] inline T choose(bool first, T a, T b) {
  return first ? a : b;
}

/// choose by masks, as kept_if. For constants: g++ would compute what follows from them apart, after a branch.
template <class T>
[[gnu::always_inline]] inline T masked(bool first, T a, T b) {
  using Bits = typename FloatTraits<T>::Bits;
  const Bits mask = Bits{0} - static_cast<Bits>(first);
  return std::bit_cast<T>(static_cast<Bits>((std::bit_cast<Bits>(a) & mask) | (std::bit_cast<Bits>(b) & ~mask)));
}

/// x = n ln 2 + r with a whole number n and |r| <= ln 2 / 2.
template <class T>
struct ExpParts {
  T n, r;
};

template <class T>
[[gnu::always_inline]] inline ExpParts<T> exp_parts(T x) {
  using Traits = FloatTraits<T>;
  const T n = mul_add(x, T(1.4426950408889634), Traits::kRound) - Traits::kRound;
  return {n, mul_add(n, -Traits::kLn2Low, mul_add(n, -Traits::kLn2High, x))};
}

/// 2^n y by way of two powers, as 2^n itself may lie outside of the type.
template <class T>
[[gnu::always_inline]] inline T scaled(T y, T n) {
  using Traits = FloatTraits<T>;
  const T half = mul_add(n, T(0.5), Traits::kRound);
  const T other = n - (half - Traits::kRound);
  return y * power_of_two<T>(half) * power_of_two<T>(other + Traits::kRound);
}

/// e^(x + low) for |low| far below 1, to about one unit in the last place; overflow, underflow, infinities and NaN as std::exp has them.
///   e^x = 2^n e^r, e^r by its Taylor series
template <class T>
[[gnu::always_inline]] inline T fast_exp(T x, T low = T(0)) {
  using Traits = FloatTraits<T>;
  x = x < Traits::kMin ? Traits::kMin : x;
  x = x > Traits::kMax ? Traits::kMax : x;
  auto [n, r] = exp_parts(x);
  r += low;
  T series = T(1);
#pragma GCC unroll 16
  for (int k = Traits::kDegree; k > 0; --k) {
    series = mul_add(series, r * T(1.0 / k), T(1));
  }
  return scaled(series, n);
}

/// x^2 - square, exactly, for the `square` that x x was rounded to.
template <class T>
[[gnu::always_inline]] inline T square_error(T x, T square) {
#ifdef __FMA__
  return mul_add(x, x, -square);
#else
  using Bits = typename FloatTraits<T>::Bits;
  constexpr Bits kUpper = ~((Bits{1} << ((FloatTraits<T>::kMantissa + 2) / 2)) - 1);  // products of halves are exact
  const T high = std::bit_cast<T>(static_cast<Bits>(std::bit_cast<Bits>(x) & kUpper)), low = x - high;
  return ((high * high - square) + T(2) * high * low) + low * low;
#endif
}

/// e^(factor x^2) for |x| <= 40 and a factor that is a power of two: without the error of x^2, which e^(x^2) would multiply by x^2.
template <class T>
[[gnu::always_inline]] inline T exp_of_square(T factor, T x) {
  const T square = x * x;
  return fast_exp(factor * square, factor * square_error(x, square));
}

/// e^x - 1 to about one unit in the last place, near 0 too.
///   2^n (e^r - 1 + c), c = 1 - 2^-n, e^r - 1 = r + r^2 (1/2 + r/6 + ..); what is lost in r and in c + r is added with the small terms
template <class T>
[[gnu::always_inline]] inline T fast_expm1(T x) {
  using Traits = FloatTraits<T>;
  T inside = x < T(-50) ? T(-50) : x;  // there e^x is lost beside 1
  inside = inside > Traits::kMax ? Traits::kMax : inside;
  const auto [n, r] = exp_parts(inside);
  const T lost = mul_add(n, -Traits::kLn2Low, mul_add(n, -Traits::kLn2High, inside) - r);
  T series = T(1);
#pragma GCC unroll 16
  for (int k = Traits::kDegree; k > 2; --k) {
    series = mul_add(series, r * T(1.0 / k), T(1));
  }
  const T c = T(1) - power_of_two<T>(Traits::kRound - (n > T(80) ? T(80) : n));  // 2^-80 is lost beside 1
  const T sum = c + r;
  const T small = mul_add(r * T(0.5) * series, r, lost + ((c - sum) + r));
  return std::copysign(scaled(sum + small, n), x);
}

/// ln x + low to about one unit in the last place; 0, negative numbers, infinity and NaN as std::log has them.
///   x = 2^k m with sqrt(1/2) <= m < sqrt(2), f = m - 1, s = f / (2 + f):
///   ln m = 2 artanh s = f - s (f - R), R = 2 (s^2/3 + s^4/5 + ..)
template <class T>
[[gnu::always_inline]] inline T fast_log(T x, T low = T(0)) {
  using Traits = FloatTraits<T>;
  using Bits = typename Traits::Bits;
  constexpr Bits kOne = std::bit_cast<Bits>(T(1)), kRootHalf = std::bit_cast<Bits>(T(0.70710678118654752));
  constexpr Bits kWhole = Bits(Traits::kBias + Traits::kMantissa) << Traits::kMantissa;  // 2^mantissa: whole numbers in the low bits
  constexpr T kUp = T(Bits{1} << Traits::kMantissa);
  const bool subnormal = x < std::bit_cast<T>(Bits{1} << Traits::kMantissa);
  const Bits bits = std::bit_cast<Bits>(choose(subnormal, x * kUp, x)) + (kOne - kRootHalf);
  const T offset = choose(subnormal, kUp + T(Traits::kBias + Traits::kMantissa), kUp + T(Traits::kBias));
  const T k = std::bit_cast<T>(static_cast<Bits>((bits >> Traits::kMantissa) | kWhole)) - offset;
  const T f = std::bit_cast<T>(static_cast<Bits>((bits & ((Bits{1} << Traits::kMantissa) - 1)) + kRootHalf)) - T(1);
  const T s = f / (T(2) + f), z = s * s;
  T series = T(2.0 / (2 * Traits::kArtanh + 1));
#pragma GCC unroll 16
  for (int i = Traits::kArtanh - 1; i > 0; --i) {
    series = mul_add(series, z, T(2.0 / (2 * i + 1)));
  }
  const T rest = mul_add(-s, mul_add(-series, z, f), mul_add(k, Traits::kLn2Low, low));
  const T y = mul_add(k, Traits::kLn2High, f + rest);
  const T outside = masked(x < T(0), std::numeric_limits<T>::quiet_NaN(), x);  // infinity and NaN are their own logarithms
  const T limit = masked(x == T(0), -std::numeric_limits<T>::infinity(), outside);
  return masked((x > T(0)) & (x < std::numeric_limits<T>::infinity()), y, limit);
}

/// ln(1 + x) to about one unit in the last place, near 0 too.
///   1 + x is rounded to w; what it lost, c, comes back as ln(w + c) = ln w + c / w
template <class T>
[[gnu::always_inline]] inline T fast_log1p(T x) {
  const T w = T(1) + x;
  const T lost = choose(x > T(1), T(1) - (w - x), x - (w - T(1)));
  return std::copysign(fast_log(w, lost / w), x);
}

/// tanh x to two units in the last place.
///   tanh |x| = q / (q + 2), q = e^(2 |x|) - 1: as |x| plus a small term, and where that is above 1/2 as 1 - 2 / (q + 2)
template <class T>
[[gnu::always_inline]] inline T fast_tanh(T x) {
  T z = std::abs(x);
  z = z > T(25) ? T(25) : z;  // 1 from 20 on
  const T q = fast_expm1(z + z);
  const bool far = q > T(2);
  const T rest = choose(far, T(-2), mul_add(-z, q, q - (z + z))) / (q + T(2));
  return std::copysign(choose(far, T(1), z) + rest, x);
}

/// 1 / (1 + e^-x), and its derivative, which no 1 - value takes part in: it would cancel.
template <class T>
struct Logistic {
  T value, slope;
};

/// By e^-|x| alone, so nothing overflows.
template <class T>
[[gnu::always_inline]] inline Logistic<T> logistic_at(T x) {
  const T e = fast_exp(-std::abs(x));
  const T inverse = T(1) / (T(1) + e);
  return {choose(x < T(0), e, T(1)) * inverse, (e * inverse) * inverse};
}

template <class T>
[[gnu::always_inline]] inline T fast_sigmoid(T x) {
  const T e = fast_exp(-std::abs(x));
  return choose(x < T(0), e, T(1)) / (T(1) + e);
}

}  // namespace lora::kernels::LORA_CPU_ISA
