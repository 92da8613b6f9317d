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

/// out[i] = c[i] ? a[i] : b[i]; stride 0 is a value for the whole row. That these loops vectorise needs a condition of bytes, as g++ has no
/// vectors of bool, and both values at hand before the choice.
template <class T>
void where_row(Index n, const std::uint8_t* c, Index sc, const T* a, Index sa, const T* b, Index sb, T* out, Index so) {
  if (so == 1 && sc == 1 && sa == 1 && sb == 1) {
    each(n, [=](Index i) {
      const T x = a[i], y = b[i];
      out[i] = c[i] != 0 ? x : y;
    });
  } else if (so == 1 && sc == 1 && sa == 1 && sb == 0) {
    each(n, [=, y = *b](Index i) {
      const T x = a[i];
      out[i] = c[i] != 0 ? x : y;
    });
  } else if (so == 1 && sc == 1 && sa == 0 && sb == 1) {
    each(n, [=, x = *a](Index i) {
      const T y = b[i];
      out[i] = c[i] != 0 ? x : y;
    });
  } else {
    for (Index i = 0; i < n; ++i) {
      out[i * so] = c[i * sc] != 0 ? a[i * sa] : b[i * sb];
    }
  }
}

}  // namespace

void compare(const Context&, CompareOp op, const ConstView& a, const ConstView& b, const View& y) {
  const auto walk = make_walk(y.shape, {&y.strides, &a.strides, &b.strides});
  visit_any(a.dtype, [&]<class T>(Tag<T>) {
    visit_op(op, [&]<class Op>(Tag<Op>) {
      walk_parallel(walk, [&, pa = a.ptr<T>(), pb = b.ptr<T>(), to = y.ptr<bool>()](Index n, const Index(&offset)[3]) {
        binary_row<!std::is_class_v<T>>(n, pa + offset[1], walk.inner_stride(1), pb + offset[2], walk.inner_stride(2), to + offset[0],
                                        walk.inner_stride(0), [](T x0, T x1) { return Op::value(comparable(x0), comparable(x1)); });
      });
    });
  });
}

void where(const Context&, const ConstView& condition, const ConstView& a, const ConstView& b, const View& y) {
  const auto walk = make_walk(y.shape, {&y.strides, &condition.strides, &a.strides, &b.strides});
  visit_any(y.dtype, [&]<class T>(Tag<T>) {
    walk_parallel(walk,
                  [&, pc = condition.ptr<std::uint8_t>(), pa = a.ptr<T>(), pb = b.ptr<T>(), to = y.ptr<T>()](Index n, const Index(&at)[4]) {
                    where_row(n, pc + at[1], walk.inner_stride(1), pa + at[2], walk.inner_stride(2), pb + at[3], walk.inner_stride(3),
                              to + at[0], walk.inner_stride(0));
                  });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
