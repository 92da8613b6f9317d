// Rows reduce_grad and var_grad.

#include <cmath>

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/layout.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {
namespace {

template <class C>
__device__ C slope(ReduceOp op, C x, C y) {
  switch (op) {
#define CASE(name) \
  case ReduceOp::name: return reduction::name::slope(x, y);
    LORA_REDUCE_OPS(CASE)
#undef CASE
  }
  return C(0);
}

/// Offsets: gx, x, gy, y.
template <class T>
__global__ void reduce_grad_kernel(Layout<4> at, ReduceOp op, const T* x, const T* y, const T* gy, T* gx) {
  using C = Compute<T>;
  const Index i = thread_index();
  if (i < at.numel) {
    Index offset[4];
    at.locate(i, offset);
    gx[offset[0]] = static_cast<T>(static_cast<C>(gy[offset[2]]) * slope(op, static_cast<C>(x[offset[1]]), static_cast<C>(y[offset[3]])));
  }
}

template <class T>
__global__ void var_grad_kernel(Layout<4> at, const T* x, const double* mean, const T* gy, T* gx) {
  using C = Compute<T>;
  const Index i = thread_index();
  if (i < at.numel) {
    Index offset[4];
    at.locate(i, offset);
    const double deviation = static_cast<double>(static_cast<C>(x[offset[1]])) - mean[offset[3]];
    gx[offset[0]] = static_cast<T>(static_cast<C>(gy[offset[2]]) * static_cast<C>(deviation));
  }
}

}  // namespace

void reduce_grad(const Context& context, ReduceOp op, const ConstView& x, const ConstView& y, const ConstView& gy, const View& gx) {
  const Layout<4> at = make_layout<4>(gx.shape, {&gx.strides, &x.strides, &gy.strides, &y.strides});
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    launch_each(context, Row::reduce_grad, at.numel, reduce_grad_kernel<T>, at, op, x.ptr<T>(), y.ptr<T>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

void var_grad(const Context& context, const ConstView& x, const ConstView& mean, const ConstView& gy, const View& gx) {
  const Layout<4> at = make_layout<4>(gx.shape, {&gx.strides, &x.strides, &gy.strides, &mean.strides});
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    launch_each(context, Row::var_grad, at.numel, var_grad_kernel<T>, at, x.ptr<T>(), mean.ptr<double>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
