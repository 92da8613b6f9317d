#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/base/half.hpp"

using namespace lora;

namespace {

/// A binary floating format with `mantissa` stored bits, written from its definition: nothing here looks at bits of an f32.
struct Format {
  int mantissa;
  int exponent_bits;
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }

  double value(std::uint32_t bits) const {
    const std::uint32_t m = bits & ((1u << mantissa) - 1);
    const auto e = static_cast<int>((bits >> mantissa) & ((1u << exponent_bits) - 1));
    const double sign = (bits >> (mantissa + exponent_bits)) != 0 ? -1.0 : 1.0;
    if (e == (1 << exponent_bits) - 1) {
      return m == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    }
    const double fraction = std::ldexp(static_cast<double>(m), -mantissa);
    return sign * std::ldexp(e == 0 ? fraction : 1.0 + fraction, (e == 0 ? 1 : e) - bias());
  }

  /// The nearest value, ties to the even mantissa: a whole number of quanta, rounded by nearbyint in f64, where all of this is exact.
  double nearest(double x) const {
    if (std::isnan(x) || std::isinf(x) || x == 0.0) {
      return x;
    }
    const double quantum = std::ldexp(1.0, std::max(std::ilogb(x), 1 - bias()) - mantissa);
    const double rounded = std::nearbyint(x / quantum) * quantum;
    const double largest = std::ldexp(2.0 - std::ldexp(1.0, -mantissa), bias());
    return std::abs(rounded) > largest ? std::copysign(std::numeric_limits<double>::infinity(), x) : rounded;
  }
};

constexpr Format kF16{10, 5};
constexpr Format kBf16{7, 8};

bool same_value(double a, double b) { return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b)); }

/// Patterns whose value is wrong, or that do not come back from f32 (a NaN as some NaN).
template <class Half>
int wrong_patterns(const Format& format) {
  int wrong = 0;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    Half half;
    half.bits = static_cast<std::uint16_t>(bits);
    const auto value = static_cast<float>(half);
    const bool right = same_value(static_cast<double>(value), format.value(bits));
    const Half back(value);
    const bool returns = std::isnan(value) ? std::isnan(static_cast<float>(back)) : back.bits == bits;
    wrong += right && returns ? 0 : 1;
  }
  return wrong;
}

/// f32 numbers at, just below and just above each value of the format and each middle between two neighbours.
std::vector<float> corners(const Format& format) {
  std::vector<float> out;
  const float inf = std::numeric_limits<float>::infinity();
  const std::uint32_t infinity = ((1u << format.exponent_bits) - 1) << format.mantissa;
  for (std::uint32_t bits = 0; bits < infinity; ++bits) {
    const double here = format.value(bits);
    const double next = bits + 1 < infinity ? format.value(bits + 1) : 2.0 * here - format.value(bits - 1);
    for (const double x : {here, 0.5 * (here + next)}) {
      const auto center = static_cast<float>(x);
      for (const float y : {center, std::nextafter(center, -inf), std::nextafter(center, inf)}) {
        out.push_back(y);
        out.push_back(-y);
      }
    }
  }
  for (const float y : {inf, -inf, std::numeric_limits<float>::max(), std::numeric_limits<float>::denorm_min(), std::nanf("")}) {
    out.push_back(y);
  }
  return out;
}

template <class Half>
int wrong_roundings(const Format& format) {
  int wrong = 0;
  for (const float x : corners(format)) {
    const double found = format.value(Half(x).bits);
    wrong += same_value(found, format.nearest(static_cast<double>(x))) ? 0 : 1;
  }
  return wrong;
}

}  // namespace

TEST_CASE("half: all 65536 patterns have their value and come back", "[tensor]") {
  CHECK(wrong_patterns<f16>(kF16) == 0);
  CHECK(wrong_patterns<bf16>(kBf16) == 0);
}

TEST_CASE("half: rounding is to nearest, ties to even, at every boundary", "[tensor]") {
  CHECK(wrong_roundings<f16>(kF16) == 0);
  CHECK(wrong_roundings<bf16>(kBf16) == 0);
}

TEST_CASE("half: the checks find a wrong format", "[tensor]") {
  CHECK(wrong_patterns<f16>(kBf16) > 0);
  CHECK(wrong_roundings<bf16>(kF16) > 0);
  CHECK(f16(1.0f + 0x1p-11f).bits == f16(1.0f).bits);                // a tie goes to the even 1
  CHECK(f16(1.0f + 3 * 0x1p-11f).bits == f16(1.0f + 0x1p-9f).bits);  // and here up, to the even 1 + 2/1024
  CHECK(std::isinf(static_cast<float>(f16(65520.0f))));
  CHECK(static_cast<float>(f16(65519.0f)) == 65504.0f);
}
