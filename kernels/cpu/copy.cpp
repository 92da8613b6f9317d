// Rows fill and copy: the kernels for every dtype.

#include <limits>
#include <type_traits>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
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
[[gnu::flatten]] void convert_row(Index n, const From* from, Index in, To* to, Index out) {
  if (in == 1 && out == 1) {
    for (Index i = 0; i < n; ++i) {
      to[i] = converted<To>(from[i]);
    }
    return;
  }
  for (Index i = 0; i < n; ++i) {
    to[i * out] = converted<To>(from[i * in]);
  }
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
  const auto walk = make_walk(out.shape, {&out.strides, &in.strides});
  visit_stored(in.dtype, [&]<class From>(Tag<From>) {
    visit_stored(out.dtype, [&]<class To>(Tag<To>) {
      walk_parallel(walk, [&, from = in.ptr<From>(), to = out.ptr<To>()](Index n, const Index(&offset)[2]) {
        convert_row(n, from + offset[1], walk.inner_stride(1), to + offset[0], walk.inner_stride(0));
      });
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
