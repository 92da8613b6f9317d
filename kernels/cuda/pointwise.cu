// Rows unary, unary_grad, param, param_grad and affine.

#include "kernels/cuda/elementwise.hpp"
#include "kernels/cuda/visit_op.hpp"

namespace lora::kernels::cuda {

namespace {

/// Two constants in the type that is computed in.
template <class T>
struct Constants {
  Compute<T> p, q;
  Constants(double p_, double q_) : p(static_cast<Compute<T>>(p_)), q(static_cast<Compute<T>>(q_)) {}
};

template <class T>
__global__ void unary_kernel(Layout<2> at, UnaryOp op, const T* x, T* y) {
  const Elements<2> mine(at);
  Compute<T> v[kPerThread] = {};
  mine.load<1>(x, v);
  visit_op(op, [&]<class Op>(Tag<Op>) { mine.each([&](int j) { v[j] = Op::value(v[j]); }); });
  mine.store(v, y);
}

/// `seen` is what the slope looks at.
template <class T>
__global__ void unary_grad_kernel(Layout<3> at, UnaryOp op, const T* seen, const T* gy, T* gx) {
  const Elements<3> mine(at);
  Compute<T> v[kPerThread] = {}, g[kPerThread] = {};
  mine.load<1>(seen, v);
  mine.load<2>(gy, g);
  visit_op(op, [&]<class Op>(Tag<Op>) { mine.each([&](int j) { g[j] *= Op::slope(v[j], v[j]); }); });
  mine.store(g, gx);
}

template <class T>
__global__ void param_kernel(Layout<2> at, ParamOp op, Constants<T> c, const T* x, T* y) {
  const Elements<2> mine(at);
  Compute<T> v[kPerThread] = {};
  mine.load<1>(x, v);
  visit_op(op, [&]<class Op>(Tag<Op>) { mine.each([&](int j) { v[j] = Op::value(v[j], c.p, c.q); }); });
  mine.store(v, y);
}

template <class T>
__global__ void param_grad_kernel(Layout<3> at, ParamOp op, Constants<T> c, const T* x, const T* gy, T* gx) {
  const Elements<3> mine(at);
  Compute<T> v[kPerThread] = {}, g[kPerThread] = {};
  mine.load<1>(x, v);
  mine.load<2>(gy, g);
  visit_op(op, [&]<class Op>(Tag<Op>) { mine.each([&](int j) { g[j] *= Op::slope(v[j], c.p, c.q); }); });
  mine.store(g, gx);
}

template <class T>
__global__ void affine_kernel(Layout<2> at, Constants<T> c, const T* x, T* y) {
  const Elements<2> mine(at);
  Compute<T> v[kPerThread] = {};
  mine.load<1>(x, v);
  mine.each([&](int j) { v[j] = c.p * v[j] + c.q; });
  mine.store(v, y);
}

}  // namespace

void unary(const Context& context, UnaryOp op, const ConstView& x, const View& y) {
  const Layout<2> at = make_layout<2>(y.shape, {&y.strides, &x.strides});
  visit_stored(y.dtype, [&]<class T>(Tag<T>) { launch_elements(context, Row::unary, at, unary_kernel<T>, op, x.ptr<T>(), y.ptr<T>()); });
}

void unary_grad(const Context& context, UnaryOp op, const ConstView& x, const ConstView& y, const ConstView& gy, const View& gx) {
  const ConstView& seen = needs_of(op) == Needs::input ? x : y;
  const Layout<3> at = make_layout<3>(gx.shape, {&gx.strides, &seen.strides, &gy.strides});
  visit_stored(gx.dtype, [&]<class T>(Tag<T>) {
    launch_elements(context, Row::unary_grad, at, unary_grad_kernel<T>, op, seen.ptr<T>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

void param(const Context& context, const Parametric& f, const ConstView& x, const View& y) {
  const Layout<2> at = make_layout<2>(y.shape, {&y.strides, &x.strides});
  visit_stored(y.dtype, [&]<class T>(Tag<T>) {
    launch_elements(context, Row::param, at, param_kernel<T>, f.op, Constants<T>(f.p, f.q), x.ptr<T>(), y.ptr<T>());
  });
}

void param_grad(const Context& context, const Parametric& f, const ConstView& x, const ConstView& gy, const View& gx) {
  const Layout<3> at = make_layout<3>(gx.shape, {&gx.strides, &x.strides, &gy.strides});
  visit_stored(gx.dtype, [&]<class T>(Tag<T>) {
    const Constants<T> constants(f.p, f.q);
    launch_elements(context, Row::param_grad, at, param_grad_kernel<T>, f.op, constants, x.ptr<T>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

void affine(const Context& context, double scale, double shift, const ConstView& x, const View& y) {
  const Layout<2> at = make_layout<2>(y.shape, {&y.strides, &x.strides});
  visit_stored(y.dtype, [&]<class T>(Tag<T>) {
    launch_elements(context, Row::affine, at, affine_kernel<T>, Constants<T>(scale, shift), x.ptr<T>(), y.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
