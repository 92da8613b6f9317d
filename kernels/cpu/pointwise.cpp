// Rows unary, unary_grad, param, param_grad, binary, binary_grad and affine.

#include "kernels/cpu/cpu_op.hpp"
#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/rows.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// body(i) for i in 0..n-1, in a loop marked to vectorise if loops over Op do.
template <class Op, class Body>
[[gnu::always_inline]] inline void each_of(Index n, const Body& body) {
  if constexpr (Op::kVector) {
    each(n, body);
  } else {
    for (Index i = 0; i < n; ++i) {
      body(i);
    }
  }
}

/// Constants of a function, in the type that it is computed in.
template <class T>
struct Constants {
  T p, q;
};

template <class Op>
struct Value {
  template <class T>
  static void row(Index n, const void* const* in, void* out, const void*) {
    const auto* x = static_cast<const T*>(in[0]);
    auto* y = static_cast<T*>(out);
    each_of<Op>(n, [=](Index i) { y[i] = Op::value(x[i]); });
  }
};

template <class Op>
struct ParamValue {
  template <class T>
  static void row(Index n, const void* const* in, void* out, const void* constants) {
    const auto* x = static_cast<const T*>(in[0]);
    auto* y = static_cast<T*>(out);
    each_of<Op>(n, [=, c = *static_cast<const Constants<T>*>(constants)](Index i) { y[i] = Op::value(x[i], c.p, c.q); });
  }
};

template <class Op>
struct BinaryValue {
  template <class T>
  static void row(Index n, const void* const* in, void* out, const void*) {
    const auto *a = static_cast<const T*>(in[0]), *b = static_cast<const T*>(in[1]);
    auto* y = static_cast<T*>(out);
    each_of<Op>(n, [=](Index i) { y[i] = Op::value(a[i], b[i]); });
  }
};

struct Affine {
  template <class T>
  static void row(Index n, const void* const* in, void* out, const void* constants) {
    const auto* x = static_cast<const T*>(in[0]);
    auto* y = static_cast<T*>(out);
    each(n, [=, c = *static_cast<const Constants<T>*>(constants)](Index i) { y[i] = mul_add(c.p, x[i], c.q); });
  }
};

// Gradients: operands are gy and what the slope looks at.

template <class Op>
struct Slope {
  template <class T>
  static void row(Index n, const void* const* in, void* out, const void*) {
    const auto *gy = static_cast<const T*>(in[0]), *x = static_cast<const T*>(in[1]), *y = static_cast<const T*>(in[2]);
    auto* gx = static_cast<T*>(out);
    each(n, [=](Index i) { gx[i] = gy[i] * Op::slope(x[i], y[i]); });
  }
};

template <class Op>
struct ParamSlope {
  template <class T>
  static void row(Index n, const void* const* in, void* out, const void* constants) {
    const auto *gy = static_cast<const T*>(in[0]), *x = static_cast<const T*>(in[1]);
    auto* gx = static_cast<T*>(out);
    each(n, [=, c = *static_cast<const Constants<T>*>(constants)](Index i) { gx[i] = gy[i] * Op::slope(x[i], c.p, c.q); });
  }
};

template <class Op, int kOperand>
struct BinarySlope {
  template <class T>
  static void row(Index n, const void* const* in, void* out, const void*) {
    const auto *gy = static_cast<const T*>(in[0]), *a = static_cast<const T*>(in[1]), *b = static_cast<const T*>(in[2]);
    auto* gx = static_cast<T*>(out);
    each(n, [=](Index i) { gx[i] = gy[i] * (kOperand == 0 ? Op::slope_a(a[i], b[i]) : Op::slope_b(a[i], b[i])); });
  }
};

/// F::row for the type of the arrays, and the bytes of an element.
template <class F>
RowFunction row_of(DType dtype) {
  return dtype == DType::f64 ? &F::template row<double> : &F::template row<float>;
}

Index size_of(DType dtype) { return dtype == DType::f64 ? 8 : 4; }

/// Calls f(Tag<functor>{}) and takes what it gives.
template <class Op, class F>
RowFunction choose(Op op, const F& f) {
  RowFunction chosen = nullptr;
  visit_op(op, [&]<class Functor>(Tag<Functor> tag) { chosen = f(tag); });
  return chosen;
}

void run(const ConstView& x, const View& y, RowFunction f, const void* constants = nullptr) {
  const Index size = size_of(y.dtype);
  for_rows(make_walk(y.shape, {&y.strides, &x.strides}), {elements(y, size), elements(x, size)}, f, constants);
}

/// As `run`, with p and q in the type of x.
void run_with(double p, double q, const ConstView& x, const View& y, RowFunction f) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const Constants<T> constants{static_cast<T>(p), static_cast<T>(q)};
    run(x, y, f, &constants);
  });
}

/// gx = gy times the slope that x0 and x1 give.
void run_slope(const ConstView& gy, const ConstView& x0, const ConstView& x1, const View& gx, RowFunction f) {
  const Index size = size_of(gx.dtype);
  for_rows(make_walk(gx.shape, {&gx.strides, &gy.strides, &x0.strides, &x1.strides}),
           {elements(gx, size), elements(gy, size), elements(x0, size), elements(x1, size)}, f);
}

}  // namespace

void unary(const Context&, UnaryOp op, const ConstView& x, const View& y) {
  run(x, y, choose(op, [&]<class Op>(Tag<Op>) { return row_of<Value<CpuOp<Op>>>(x.dtype); }));
}

void affine(const Context&, double scale, double shift, const ConstView& x, const View& y) {
  run_with(scale, shift, x, y, row_of<Affine>(x.dtype));
}

void unary_grad(const Context&, UnaryOp op, const ConstView& x, const ConstView& y, const ConstView& gy, const View& gx) {
  run_slope(gy, x, y, gx, choose(op, [&]<class Op>(Tag<Op>) { return row_of<Slope<CpuOp<Op>>>(x.dtype); }));
}

void param(const Context&, const Parametric& f, const ConstView& x, const View& y) {
  run_with(f.p, f.q, x, y, choose(f.op, [&]<class Op>(Tag<Op>) { return row_of<ParamValue<CpuOp<Op>>>(x.dtype); }));
}

void param_grad(const Context&, const Parametric& f, const ConstView& x, const ConstView& gy, const View& gx) {
  const Index size = size_of(gx.dtype);
  const RowFunction row = choose(f.op, [&]<class Op>(Tag<Op>) { return row_of<ParamSlope<CpuOp<Op>>>(x.dtype); });
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const Constants<T> constants{static_cast<T>(f.p), static_cast<T>(f.q)};
    for_rows(make_walk(gx.shape, {&gx.strides, &gy.strides, &x.strides}), {elements(gx, size), elements(gy, size), elements(x, size)}, row,
             &constants);
  });
}

void binary(const Context&, BinaryOp op, const ConstView& a, const ConstView& b, const View& y) {
  const Index size = size_of(y.dtype);
  for_rows(make_walk(y.shape, {&y.strides, &a.strides, &b.strides}), {elements(y, size), elements(a, size), elements(b, size)},
           choose(op, [&]<class Op>(Tag<Op>) { return row_of<BinaryValue<CpuOp<Op>>>(y.dtype); }));
}

void binary_grad(const Context&, const Partial& df, const ConstView& a, const ConstView& b, const ConstView& gy, const View& gx) {
  run_slope(gy, a, b, gx, choose(df.op, [&]<class Op>(Tag<Op>) {
              return df.operand == 0 ? row_of<BinarySlope<CpuOp<Op>, 0>>(gx.dtype) : row_of<BinarySlope<CpuOp<Op>, 1>>(gx.dtype);
            }));
}

}  // namespace lora::kernels::LORA_CPU_ISA
