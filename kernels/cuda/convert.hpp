#pragma once
// Conversions between all element types, as the row `copy` has them, for kernels and for the host.

#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/base/dtype.hpp"
#include "core/base/shape.hpp"
#include "kernels/cuda/gpu.hpp"
#include "kernels/host_device.hpp"

namespace lora::kernels::cuda {

/// A bool as it lies in memory: any byte but 0 counts as true.
struct Truth {
  std::uint8_t byte;
};

/// T, or what lies in memory for it.
template <class T>
using InMemory = std::conditional_t<std::is_same_v<T, bool>, Truth, T>;

template <class T>
inline constexpr bool kIsHalf = std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

/// The type that all values of T are exact in and that has the fewest bits of float, double and Index.
template <class T>
using Wide = std::conditional_t<kIsHalf<T>, float, std::conditional_t<std::is_floating_point_v<T>, T, Index>>;

template <class T>
LORA_HOST_DEVICE Wide<T> widened(T value) {
  if constexpr (std::is_same_v<T, Truth>) {
    return value.byte != 0 ? 1 : 0;
  } else {
    return static_cast<Wide<T>>(value);
  }
}

/// Truncates; what does not fit becomes the nearest that does, NaN becomes 0.
template <class To, class From>
LORA_HOST_DEVICE To truncated(From value) {
  constexpr To lowest = std::numeric_limits<To>::lowest(), highest = std::numeric_limits<To>::max();
  if (value <= static_cast<From>(lowest)) {
    return lowest;
  }
  constexpr From kBeyond = From(2) * static_cast<From>(highest / 2 + 1);  // highest + 1: `highest` itself may round to it
  if (value < kBeyond) {
    return static_cast<To>(value);
  }
  return value != value ? To(0) : highest;
}

/// @param value  of a type Wide<..>
template <class To, class From>
LORA_HOST_DEVICE To narrowed(From value) {
  if constexpr (std::is_same_v<To, Truth>) {
    return Truth{static_cast<std::uint8_t>(value != From(0))};
  } else if constexpr (kIsHalf<To>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    return truncated<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

/// Calls f(Tag<T>{}) with the type of an element in memory.
template <class F>
__device__ inline void visit_memory(DType dtype, const F& f) {
  switch (dtype) {
#define CASE(dtype, type) \
  case DType::dtype: return f(Tag<InMemory<type>>{});
    LORA_DTYPES(CASE)
#undef CASE
  }
}

/// Calls f(Tag<Bits>{}) with the unsigned type of `size` bytes: what elements are that are only moved.
template <class F>
void visit_bits(std::size_t size, const F& f) {
  switch (size) {
    case 1: return f(Tag<std::uint8_t>{});
    case 2: return f(Tag<std::uint16_t>{});
    case 4: return f(Tag<std::uint32_t>{});
    default: return f(Tag<std::uint64_t>{});
  }
}

}  // namespace lora::kernels::cuda
