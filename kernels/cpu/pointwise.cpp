// Rows unary, unary_grad, binary, affine and clamp.

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/math.hpp"
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

/// out[i] = Op(a[i], b[i]) along one row; stride 0 is a value for the whole row.
template <class Op, class T>
void binary_row(Index n, const T* a, Index sa, const T* b, Index sb, T* out, Index so) {
  if (so == 1 && sa == 1 && sb == 1) {
    each(n, [=](Index i) { out[i] = Op::value(a[i], b[i]); });
  } else if (so == 1 && sa == 1 && sb == 0) {
    each(n, [=, value = *b](Index i) { out[i] = Op::value(a[i], value); });
  } else if (so == 1 && sa == 0 && sb == 1) {
    each(n, [=, value = *a](Index i) { out[i] = Op::value(value, b[i]); });
  } else {
    for (Index i = 0; i < n; ++i) {
      out[i * so] = Op::value(a[i * sa], b[i * sb]);
    }
  }
}

template <class Op, class T>
void slope_times(Index n, const T* x, const T* y, const T* gy, T* gx) {
  each(n, [=](Index i) { gx[i] = gy[i] * Op::slope(x[i], y[i]); });
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

void clamp(const Context&, double low, double high, const ConstView& x, const View& y) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    map<true, T>(x, y, [a = static_cast<T>(low), b = static_cast<T>(high)](T value) {
      const T raised = value < a ? a : value;
      return raised > b ? b : raised;
    });
  });
}

void binary(const Context&, BinaryOp op, const ConstView& a, const ConstView& b, const View& y) {
  const auto walk = make_walk(y.shape, {&y.strides, &a.strides, &b.strides});
  visit_real(y.dtype, [&]<class T>(Tag<T>) {
    visit_op(op, [&]<class Op>(Tag<Op>) {
      walk_parallel(walk, [&, pa = a.ptr<T>(), pb = b.ptr<T>(), to = y.ptr<T>()](Index n, const Index(&offset)[3]) {
        binary_row<Op>(n, pa + offset[1], walk.inner_stride(1), pb + offset[2], walk.inner_stride(2), to + offset[0], walk.inner_stride(0));
      });
    });
  });
}

void unary_grad(const Context&, UnaryOp op, const ConstView& x, const ConstView& y, const ConstView& gy, const View& gx) {
  const auto walk = make_walk(gx.shape, {&gx.strides, &gy.strides, &x.strides, &y.strides});
  const Index out = walk.inner_stride(0), in = walk.inner_stride(1), sx = walk.inner_stride(2), sy = walk.inner_stride(3);
  const bool contiguous = walk.inner_contiguous();
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    visit_op(op, [&]<class Op>(Tag<Op>) {
      walk_parallel(walk, [=, &x, &y, &gy, &gx](Index n, const Index(&offset)[4]) {
        T* to = gx.ptr<T>() + offset[0];
        const T *g = gy.ptr<T>() + offset[1], *px = x.ptr<T>() + offset[2], *py = y.ptr<T>() + offset[3];
        if (contiguous) {
          return slope_times<CpuOp<Op>>(n, px, py, g, to);
        }
        for (Index i = 0; i < n; ++i) {
          to[i * out] = g[i * in] * CpuOp<Op>::slope(px[i * sx], py[i * sy]);
        }
      });
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
