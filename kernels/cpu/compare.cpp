// Rows compare and where.

#include <cstdint>
#include <type_traits>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// What numbers of type T are compared as: 16-bit floats as f32.
template <class T>
auto comparable(T x) {
  if constexpr (std::is_class_v<T>) {
    return static_cast<float>(x);
  } else {
    return x;
  }
}

template <class Op>
struct Compare {
  template <class T>
  static void row(Index n, const void* const* in, void* out, const void*) {
    const auto *a = static_cast<const T*>(in[0]), *b = static_cast<const T*>(in[1]);
    auto* y = static_cast<bool*>(out);
    const auto body = [=](Index i) { y[i] = Op::value(comparable(a[i]), comparable(b[i])); };
    if constexpr (std::is_class_v<T>) {
      for (Index i = 0; i < n; ++i) {
        body(i);
      }
    } else {
      each(n, body);
    }
  }
};

/// Moves bits of type T. That the loop vectorises needs a condition of bytes, as g++ has no vectors of bool, and both values at hand before
/// the choice.
template <class T>
void where_row(Index n, const void* const* in, void* out, const void*) {
  const auto* condition = static_cast<const std::uint8_t*>(in[0]);
  const auto *a = static_cast<const T*>(in[1]), *b = static_cast<const T*>(in[2]);
  auto* y = static_cast<T*>(out);
  each(n, [=](Index i) {
    const T x0 = a[i], x1 = b[i];
    y[i] = condition[i] != 0 ? x0 : x1;
  });
}

RowFunction where_of(Index size) {
  switch (size) {
    case 1: return &where_row<std::uint8_t>;
    case 2: return &where_row<std::uint16_t>;
    case 4: return &where_row<std::uint32_t>;
    default: return &where_row<std::uint64_t>;
  }
}

Index size_of(DType dtype) {
  Index size = 0;
  visit_any(dtype, [&]<class T>(Tag<T>) { size = sizeof(T); });
  return size;
}

}  // namespace

void compare(const Context&, CompareOp op, const ConstView& a, const ConstView& b, const View& y) {
  RowFunction row = nullptr;
  visit_any(a.dtype, [&]<class T>(Tag<T>) { visit_op(op, [&]<class Op>(Tag<Op>) { row = &Compare<Op>::template row<T>; }); });
  const Index size = size_of(a.dtype);
  for_rows(make_walk(y.shape, {&y.strides, &a.strides, &b.strides}), {elements(y, 1), elements(a, size), elements(b, size)}, row);
}

void where(const Context&, const ConstView& condition, const ConstView& a, const ConstView& b, const View& y) {
  const Index size = size_of(y.dtype);
  for_rows(make_walk(y.shape, {&y.strides, &condition.strides, &a.strides, &b.strides}),
           {elements(y, size), elements(condition, 1), elements(a, size), elements(b, size)}, where_of(size));
}

}  // namespace lora::kernels::LORA_CPU_ISA
