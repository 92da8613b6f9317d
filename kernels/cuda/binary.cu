// Rows binary and binary_grad.

#include "kernels/cuda/elementwise.hpp"
#include "kernels/cuda/visit_op.hpp"

namespace lora::kernels::cuda {

namespace {

template <class T>
__global__ void binary_kernel(Layout<3> at, BinaryOp op, const T* a, const T* b, T* y) {
  const Elements<3> mine(at);
  Compute<T> va[kPerThread] = {}, vb[kPerThread] = {};
  mine.load<1>(a, va);
  mine.load<2>(b, vb);
  visit_op(op, [&]<class Op>(Tag<Op>) { mine.each([&](int j) { va[j] = Op::value(va[j], vb[j]); }); });
  mine.store(va, y);
}

template <class T>
__global__ void binary_grad_kernel(Layout<4> at, Partial df, const T* a, const T* b, const T* gy, T* gx) {
  const Elements<4> mine(at);
  Compute<T> va[kPerThread] = {}, vb[kPerThread] = {}, g[kPerThread] = {};
  mine.load<1>(a, va);
  mine.load<2>(b, vb);
  mine.load<3>(gy, g);
  visit_op(df.op, [&]<class Op>(Tag<Op>) {
    mine.each([&](int j) { g[j] *= df.operand == 0 ? Op::slope_a(va[j], vb[j]) : Op::slope_b(va[j], vb[j]); });
  });
  mine.store(g, gx);
}

}  // namespace

void binary(const Context& context, BinaryOp op, const ConstView& a, const ConstView& b, const View& y) {
  const Layout<3> at = make_layout<3>(y.shape, {&y.strides, &a.strides, &b.strides});
  visit_stored(y.dtype, [&]<class T>(Tag<T>) {
    launch_elements(context, Row::binary, at, binary_kernel<T>, op, a.ptr<T>(), b.ptr<T>(), y.ptr<T>());
  });
}

void binary_grad(const Context& context, const Partial& df, const ConstView& a, const ConstView& b, const ConstView& gy, const View& gx) {
  const Layout<4> at = make_layout<4>(gx.shape, {&gx.strides, &a.strides, &b.strides, &gy.strides});
  visit_stored(gx.dtype, [&]<class T>(Tag<T>) {
    launch_elements(context, Row::binary_grad, at, binary_grad_kernel<T>, df, a.ptr<T>(), b.ptr<T>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
