#pragma once
// The error function and the normal distribution, in a form that vectorises.

#include <cstddef>

#include "kernels/cpu/math.hpp"

namespace lora::kernels::LORA_CPU_ISA {

/// Phi(-x) e^(x^2 / 2) = P(x) / Q(x) from x = 0.6 to where Phi(-x) falls below the smallest number, with errors below 2e-9 and 1e-17 of
/// the value: the rational function that agrees at the Chebyshev points of (c - x) / (c + x), c = 3 and 4. All its coefficients are
/// positive, so nothing cancels. And erf(z) / z as a polynomial in z^2 <= 0.72, in the same way.
template <class T>
struct ErfTraits;

template <>
struct ErfTraits<float> {
  static constexpr float kNear0 = 1.12837923F;
  static constexpr float kNear[] = {-5.87742939e-08F, -0.376126379F,    0.112837493F,  -0.0268626213F,
                                    0.00520968158F,   -0.000824914256F, 8.8593144e-05F};
  static constexpr float kP[] = {0.500003457F, 0.46389237F, 0.203849092F, 0.0480667613F, 0.00539694028F};
  static constexpr float kQ[] = {1.F, 1.72572052F, 1.28445303F, 0.524426103F, 0.120488368F, 0.013528076F};
};

template <>
struct ErfTraits<double> {
  static constexpr double kNear0 = 1.1283791670955126;
  static constexpr double kNear[] = {1.5174808954545105e-17, -0.37612638903183748,    0.112837916709547,    -0.026866170645020646,
                                     0.0052239776239569741,  -0.00085483269056565775, 0.000120553270506432, -1.4925453340176486e-05,
                                     1.6457733512818286e-06, -1.6301115555811785e-07, 1.41933794487106e-08, -8.8472239185603842e-10};
  static constexpr double kP[] = {0.49999999999155637,    0.80292211880824216,   0.63618699472100237,   0.32045818368809487,
                                  0.11216110246574355,    0.028209667185277041,  0.0051057198683613254, 0.00064486544925405876,
                                  5.2161774355839959e-05, 2.1082068666347484e-06};
  static constexpr double kQ[] = {1,
                                  2.4037287982167186,
                                  2.6902720870314862,
                                  1.8515400471685766,
                                  0.87080075401630685,
                                  0.29368282827044634,
                                  0.072317018497534968,
                                  0.012928891959867564,
                                  0.0016217224594209062,
                                  0.00013075017845481314,
                                  5.2844909406798936e-06};
};

/// c[0] + c[1] x + c[2] x^2 + ..
template <class T, std::size_t kTerms>
[[gnu::always_inline]] inline T polynomial(const T (&c)[kTerms], T x) {
  T sum = c[kTerms - 1];
#pragma GCC unroll 16
  for (std::size_t k = kTerms - 1; k > 0; --k) {
    sum = mul_add(sum, x, c[k - 1]);
  }
  return sum;
}

/// Phi(-x) e^(x^2 / 2) for 0.6 <= x <= 40.
template <class T>
[[gnu::always_inline]] inline T scaled_tail(T x) {
  return polynomial(ErfTraits<T>::kP, x) / polynomial(ErfTraits<T>::kQ, x);
}

/// erf(x): a polynomial where it is small, else 1 - 2 Phi(-sqrt(2) x).
template <class T>
[[gnu::always_inline]] inline T fast_erf(T x) {
  T z = std::abs(x);
  z = z > T(28) ? T(28) : z;  // 1 from 6 on
  const T square = z * z;
  const T far = T(1) - T(2) * scaled_tail(z * T(1.4142135623730951)) * fast_exp(-square);
  const T near = mul_add(x, ErfTraits<T>::kNear0, x * polynomial(ErfTraits<T>::kNear, square));
  return std::copysign(choose(square < T(0.72), near, far), x);
}

/// The normal distribution at x: its function and its density.
template <class T>
struct Normal {
  T cdf, pdf;
};

/// Phi(x) is (1 + erf(x / sqrt 2)) / 2 near 0 only: where it is small, that would cancel.
template <class T>
[[gnu::always_inline]] inline Normal<T> normal_at(T x) {
  const T distance = std::abs(x), z = masked(distance > T(40), T(40), distance);  // both are 0 there
  const T e = exp_of_square(T(-0.5), z);
  const T tail = scaled_tail(z) * e;
  const T slope = T(0.35355339059327376) * (ErfTraits<T>::kNear0 + polynomial(ErfTraits<T>::kNear, T(0.5) * z * z));
  const T near = mul_add(x, slope, T(0.5));
  const T far = choose(x < T(0), tail, T(1) - tail);
  return {choose(z < T(0.65), near, far), e * T(0.39894228040143268)};
}

}  // namespace lora::kernels::LORA_CPU_ISA
