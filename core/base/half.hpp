#pragma once
// The two 16-bit floating types: storage and conversion only, arithmetic is done in f32.

#include <bit>
#include <cstdint>

namespace lora {

namespace detail {

/// Shifts out the low `shift` bits of `bits`, rounding to nearest, ties to even.
constexpr std::uint32_t round_shift(std::uint32_t bits, int shift) {
  const std::uint32_t half = 1u << (shift - 1);
  return (bits + half - 1 + ((bits >> shift) & 1u)) >> shift;
}

constexpr std::uint16_t f32_to_f16_bits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return static_cast<std::uint16_t>(sign | 0x7e00u);  // NaN
  }
  if (magnitude >= 0x477ff000u) {
    return static_cast<std::uint16_t>(sign | 0x7c00u);  // rounds to infinity
  }
  if (magnitude >= 0x38800000u) {
    return static_cast<std::uint16_t>(sign | round_shift(magnitude - 0x38000000u, 13));
  }
  if (magnitude < 0x33000000u) {
    return sign;  // below half of the smallest subnormal
  }
  const int exponent = static_cast<int>(magnitude >> 23);
  const std::uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  return static_cast<std::uint16_t>(sign | round_shift(mantissa, 126 - exponent));
}

constexpr float f16_bits_to_f32(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  const std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0x1fu) {
    return std::bit_cast<float>(sign | 0x7f800000u | (mantissa << 13));
  }
  if (exponent != 0) {
    return std::bit_cast<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  }
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign != 0 ? -magnitude : magnitude;
}

constexpr std::uint16_t f32_to_bf16_bits(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return static_cast<std::uint16_t>((bits >> 16) | 0x40u);  // keep a NaN a NaN
  }
  return static_cast<std::uint16_t>(round_shift(bits, 16));
}

constexpr float bf16_bits_to_f32(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

}  // namespace detail

/// IEEE 754 binary16; conversion from f32 rounds to nearest even.
struct f16 {
  std::uint16_t bits = 0;
  constexpr f16() = default;
  constexpr explicit f16(float value) : bits(detail::f32_to_f16_bits(value)) {}
  constexpr explicit operator float() const { return detail::f16_bits_to_f32(bits); }
};

/// The upper half of an f32; conversion from f32 rounds to nearest even.
struct bf16 {
  std::uint16_t bits = 0;
  constexpr bf16() = default;
  constexpr explicit bf16(float value) : bits(detail::f32_to_bf16_bits(value)) {}
  constexpr explicit operator float() const { return detail::bf16_bits_to_f32(bits); }
};

}  // namespace lora
