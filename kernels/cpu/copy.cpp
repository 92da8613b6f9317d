// Rows fill and copy: the kernels for every dtype.

#include <algorithm>
#include <limits>
#include <type_traits>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// A bool as it lies in memory: any byte but 0 counts as true.
struct Truth {
  std::uint8_t byte;
};

template <class T>
constexpr bool kHalf = std::is_same_v<T, f16> || std::is_same_v<T, bf16>;

/// `value` in a type that arithmetic works on.
template <class T>
[[gnu::always_inline]] inline auto plain(T value) {
  if constexpr (kHalf<T>) {
    return static_cast<float>(value);
  } else if constexpr (std::is_same_v<T, Truth>) {
    return static_cast<std::uint8_t>(value.byte != 0);
  } else {
    return value;
  }
}

/// Truncates; what does not fit becomes the nearest that does, NaN becomes 0.
template <class To, class From>
[[gnu::always_inline]] inline To to_integer(From value) {
  if constexpr (std::is_floating_point_v<From>) {
    constexpr To lowest = std::numeric_limits<To>::min(), highest = std::numeric_limits<To>::max();
    constexpr From above = static_cast<From>(highest / 2 + 1) * 2;  // highest + 1, a power of two
    if (!(value > static_cast<From>(lowest) - 1)) {
      return value != value ? To(0) : lowest;
    }
    return value < above ? static_cast<To>(value) : highest;
  } else {
    return static_cast<To>(value);
  }
}

template <class To, class From>
[[gnu::always_inline]] inline To converted(From from) {
  [[maybe_unused]] const auto value = plain(from);
  if constexpr (std::is_same_v<To, From>) {
    return from;
  } else if constexpr (std::is_same_v<To, Truth>) {
    return Truth{static_cast<std::uint8_t>(value != 0)};
  } else if constexpr (kHalf<To>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_integral_v<To>) {
    return to_integer<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

template <class From, class To>
[[gnu::flatten]] void convert_row(Index n, const void* const* in, void* out, const void*) {
  const auto* from = static_cast<const From*>(in[0]);
  auto* to = static_cast<To*>(out);
  for (Index i = 0; i < n; ++i) {
    to[i] = converted<To>(from[i]);
  }
}

/// Two conversions in a row, by way of f32.
struct ByFloat {
  RowFunction to_float, from_float;
  Index in_size, out_size;
};

void convert_by_float(Index n, const void* const* in, void* out, const void* constants) {
  const auto& by = *static_cast<const ByFloat*>(constants);
  float buffer[kRowBuffer];
  for (Index at = 0; at < n; at += kRowBuffer) {
    const Index count = std::min(kRowBuffer, n - at);
    const void* from = static_cast<const char*>(in[0]) + at * by.in_size;
    const void* middle = buffer;
    by.to_float(count, &from, buffer, nullptr);
    by.from_float(count, &middle, static_cast<char*>(out) + at * by.out_size, nullptr);
  }
}

/// Elements of one type: their bytes, by steps.
void move_all(Index size, const ConstView& in, const View& out) {
  const auto walk = make_walk(out.shape, {&out.strides, &in.strides});
  const auto* from = static_cast<const char*>(in.data);
  auto* to = static_cast<char*>(out.data);
  walk_parallel(walk, [=, &walk](Index n, const Index(&offset)[2]) {
    move_elements(size, n, from + offset[1] * size, walk.inner_stride(1), to + offset[0] * size, walk.inner_stride(0));
  });
}

/// Calls f(Tag<T>{}) with the type of an element in memory.
template <class F>
[[gnu::always_inline]] inline void visit_stored(DType dtype, const F& f) {
  visit_any(dtype, [&]<class T>(Tag<T>) { f(Tag<std::conditional_t<std::is_same_v<T, bool>, Truth, T>>{}); });
}

}  // namespace

void fill(const Context&, double value, const View& out) {
  const auto walk = make_walk(out.shape, {&out.strides});
  visit_stored(out.dtype, [&]<class T>(Tag<T>) {
    const T element = converted<T>(value);
    const Index step = walk.inner_stride(0);
    walk_parallel(walk, [=, to = out.ptr<T>()](Index n, const Index(&offset)[1]) {
      for (Index i = 0; i < n; ++i) {
        to[offset[0] + i * step] = element;
      }
    });
  });
}

void copy(const Context&, const ConstView& in, const View& out) {
  visit_stored(in.dtype, [&]<class From>(Tag<From>) {
    if (in.dtype == out.dtype) {
      return move_all(sizeof(From), in, out);
    }
    visit_stored(out.dtype, [&]<class To>(Tag<To>) {
      const auto walk = make_walk(out.shape, {&out.strides, &in.strides});
      if constexpr ((kHalf<From> && !std::is_same_v<To, float>) || (kHalf<To> && !std::is_same_v<From, float>)) {
        // What such pairs go by anyway, without code for each.
        const ByFloat by{&convert_row<From, float>, &convert_row<float, To>, sizeof(From), sizeof(To)};
        for_rows(walk, {elements(out, sizeof(To)), elements(in, sizeof(From))}, &convert_by_float, &by);
      } else {
        for_rows(walk, {elements(out, sizeof(To)), elements(in, sizeof(From))}, &convert_row<From, To>);
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
