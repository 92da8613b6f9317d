// Rows reduce_grad and var_grad.

#include "kernels/cuda/elementwise.hpp"
#include "kernels/cuda/visit_op.hpp"

namespace lora::kernels::cuda {
namespace {

template <class T>
__global__ void reduce_grad_kernel(Layout<4> at, ReduceOp op, const T* x, const T* y, const T* gy, T* gx) {
  using C = Compute<T>;
  const Elements<4> own(at);
  C in[kPerThread], result[kPerThread], g[kPerThread];
  own.template load<1>(x, in);
  own.template load<2>(y, result);
  own.template load<3>(gy, g);
  visit_op(op, [&]<class Op>(Tag<Op>) { own.each([&](int j) { g[j] *= Op::slope(in[j], result[j]); }); });
  own.store(g, gx);
}

template <class T>
__global__ void var_grad_kernel(Layout<4> at, const T* x, const double* mean, const T* gy, T* gx) {
  using C = Compute<T>;
  const Elements<4> own(at);
  C in[kPerThread], g[kPerThread];
  double center[kPerThread];
  own.template load<1>(x, in);
  own.template load<2>(mean, center);
  own.template load<3>(gy, g);
  own.each([&](int j) { g[j] *= static_cast<C>(static_cast<double>(in[j]) - center[j]); });
  own.store(g, gx);
}

}  // namespace

void reduce_grad(const Context& context, ReduceOp op, const ConstView& x, const ConstView& y, const ConstView& gy, const View& gx) {
  const Layout<4> at = make_layout<4>(gx.shape, {&gx.strides, &x.strides, &y.strides, &gy.strides});
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    launch_elements(context, Row::reduce_grad, at, reduce_grad_kernel<T>, op, x.ptr<T>(), y.ptr<T>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

void var_grad(const Context& context, const ConstView& x, const ConstView& mean, const ConstView& gy, const View& gx) {
  const Layout<4> at = make_layout<4>(gx.shape, {&gx.strides, &x.strides, &mean.strides, &gy.strides});
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    launch_elements(context, Row::var_grad, at, var_grad_kernel<T>, x.ptr<T>(), mean.ptr<double>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
