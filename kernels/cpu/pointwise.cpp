// Rows unary, unary_grad, param, param_grad, binary, binary_grad and affine.

#include "kernels/cpu/cpu_op.hpp"
#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

template <bool kVector = true, class T, class F>
void map(const ConstView& x, const View& y, const F& f) {
  const auto walk = make_walk(y.shape, {&y.strides, &x.strides});
  const T* from = x.ptr<T>();
  T* to = y.ptr<T>();
  const Index sy = walk.inner_stride(0), sx = walk.inner_stride(1);
  walk_parallel(walk, [=](Index n, const Index(&offset)[2]) {
    T* out = to + offset[0];
    const T* in = from + offset[1];
    if (kVector && sy == 1 && sx == 1) {
      each(n, [=](Index i) { out[i] = f(in[i]); });
      return;
    }
    for (Index i = 0; i < n; ++i) {
      out[i * sy] = f(in[i * sx]);
    }
  });
}

/// gx = gy f(x0, x1), where x0 and x1 are what the slope f looks at.
template <class T, class F>
void map_slope(const ConstView& x0, const ConstView& x1, const ConstView& gy, const View& gx, const F& f) {
  const auto walk = make_walk(gx.shape, {&gx.strides, &gy.strides, &x0.strides, &x1.strides});
  const Index out = walk.inner_stride(0), in = walk.inner_stride(1), s0 = walk.inner_stride(2), s1 = walk.inner_stride(3);
  const bool contiguous = walk.inner_contiguous();
  walk_parallel(walk, [=, &x0, &x1, &gy, &gx](Index n, const Index(&offset)[4]) {
    T* to = gx.ptr<T>() + offset[0];
    const T *g = gy.ptr<T>() + offset[1], *p0 = x0.ptr<T>() + offset[2], *p1 = x1.ptr<T>() + offset[3];
    if (contiguous) {
      each(n, [=](Index i) { to[i] = g[i] * f(p0[i], p1[i]); });
      return;
    }
    for (Index i = 0; i < n; ++i) {
      to[i * out] = g[i * in] * f(p0[i * s0], p1[i * s1]);
    }
  });
}

}  // namespace

void unary(const Context&, UnaryOp op, const ConstView& x, const View& y) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    visit_op(op, [&]<class Op>(Tag<Op>) { map<CpuOp<Op>::kVector, T>(x, y, [](T value) { return CpuOp<Op>::value(value); }); });
  });
}

void affine(const Context&, double scale, double shift, const ConstView& x, const View& y) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    map<true, T>(x, y, [a = static_cast<T>(scale), b = static_cast<T>(shift)](T value) { return mul_add(a, value, b); });
  });
}

void unary_grad(const Context&, UnaryOp op, const ConstView& x, const ConstView& y, const ConstView& gy, const View& gx) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    visit_op(op, [&]<class Op>(Tag<Op>) { map_slope<T>(x, y, gy, gx, [](T x0, T y0) { return CpuOp<Op>::slope(x0, y0); }); });
  });
}

void param(const Context&, const Parametric& f, const ConstView& x, const View& y) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    visit_op(f.op, [&]<class Op>(Tag<Op>) {
      const T p = static_cast<T>(f.p), q = static_cast<T>(f.q);
      map<CpuOp<Op>::kVector, T>(x, y, [=](T value) { return CpuOp<Op>::value(value, p, q); });
    });
  });
}

void param_grad(const Context&, const Parametric& f, const ConstView& x, const ConstView& gy, const View& gx) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    visit_op(f.op, [&]<class Op>(Tag<Op>) {
      const T p = static_cast<T>(f.p), q = static_cast<T>(f.q);
      map_slope<T>(x, x, gy, gx, [=](T value, T) { return CpuOp<Op>::slope(value, p, q); });
    });
  });
}

void binary(const Context&, BinaryOp op, const ConstView& a, const ConstView& b, const View& y) {
  const auto walk = make_walk(y.shape, {&y.strides, &a.strides, &b.strides});
  visit_real(y.dtype, [&]<class T>(Tag<T>) {
    visit_op(op, [&]<class Op>(Tag<Op>) {
      walk_parallel(walk, [&, pa = a.ptr<T>(), pb = b.ptr<T>(), to = y.ptr<T>()](Index n, const Index(&offset)[3]) {
        binary_row<CpuOp<Op>::kVector>(n, pa + offset[1], walk.inner_stride(1), pb + offset[2], walk.inner_stride(2), to + offset[0],
                                       walk.inner_stride(0), [](T x0, T x1) { return CpuOp<Op>::value(x0, x1); });
      });
    });
  });
}

void binary_grad(const Context&, const Partial& df, const ConstView& a, const ConstView& b, const ConstView& gy, const View& gx) {
  visit_real(gx.dtype, [&]<class T>(Tag<T>) {
    visit_op(df.op, [&]<class Op>(Tag<Op>) {
      if (df.operand == 0) {
        map_slope<T>(a, b, gy, gx, [](T x0, T x1) { return CpuOp<Op>::slope_a(x0, x1); });
      } else {
        map_slope<T>(a, b, gy, gx, [](T x0, T x1) { return CpuOp<Op>::slope_b(x0, x1); });
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
