#pragma once
// Element types of tensors and the way from a run-time type to a C++ one.

#include <array>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string_view>
#include <type_traits>

#include "core/base/error.hpp"
#include "core/base/half.hpp"

namespace lora {

/// X(enumerator, C++ type) for every dtype.
#define LORA_DTYPES(X) \
  X(f32, float) X(f64, double) X(bf16, bf16) X(f16, f16) X(u8, std::uint8_t) X(i32, std::int32_t) X(i64, std::int64_t) X(boolean, bool)

#define LORA_ENUMERATOR(dtype, type) dtype,
enum class DType : std::uint8_t { LORA_DTYPES(LORA_ENUMERATOR) };
#undef LORA_ENUMERATOR

inline constexpr std::array<std::string_view, 8> kDTypeNames{"f32", "f64", "bf16", "f16", "u8", "i32", "i64", "bool"};
inline constexpr std::array<std::size_t, 8> kDTypeSizes{4, 8, 2, 2, 1, 4, 8, 1};

constexpr std::string_view name(DType dtype) { return kDTypeNames[static_cast<std::size_t>(dtype)]; }

/// Bytes of one element.
constexpr std::size_t itemsize(DType dtype) { return kDTypeSizes[static_cast<std::size_t>(dtype)]; }

/// Types that arithmetic and gradients are defined for on the CPU.
constexpr bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

/// Types that hold real numbers, the 16-bit storage types included.
constexpr bool is_floating(DType dtype) { return is_float(dtype) || dtype == DType::bf16 || dtype == DType::f16; }

inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name(dtype); }

/// Carries a C++ type as a value: `visit(dtype, [&]<class T>(Tag<T>) { ... })`.
template <class T>
struct Tag {
  using type = T;
};

template <class T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, float>) {
    return DType::f32;
  } else if constexpr (std::is_same_v<T, double>) {
    return DType::f64;
  } else if constexpr (std::is_same_v<T, bf16>) {
    return DType::bf16;
  } else if constexpr (std::is_same_v<T, f16>) {
    return DType::f16;
  } else if constexpr (std::is_same_v<T, std::uint8_t>) {
    return DType::u8;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return DType::i32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return DType::i64;
  } else {
    static_assert(std::is_same_v<T, bool>, "not an element type of tensors");
    return DType::boolean;
  }
}

/// Calls `f(Tag<T>{})` with the C++ type of a computing dtype.
/// @throws Error naming `where` if dtype is neither f32 nor f64
template <class F>
decltype(auto) visit_float(std::string_view where, DType dtype, F&& f) {
  if (dtype == DType::f32) {
    return f(Tag<float>{});
  }
  require(dtype == DType::f64, where, "computes in f32 or f64, got ", dtype, "; convert with to(DType::f32)");
  return f(Tag<double>{});
}

/// Calls `f(Tag<T>{})` with the C++ type of any dtype.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
#define LORA_DTYPE_CASE(dtype, type) \
  case DType::dtype: return f(Tag<type>{});
    LORA_DTYPES(LORA_DTYPE_CASE)
#undef LORA_DTYPE_CASE
  }
  fail("visit_dtype", "unknown dtype ", static_cast<int>(dtype));
}

}  // namespace lora
