// Row bce_with_logits.

#include <cmath>

#include "kernels/cuda/elementwise.hpp"

namespace lora::kernels::cuda {

namespace {

/// By e^-|x| alone, which neither overflows nor loses small losses.
template <class T>
__device__ inline T loss_of(T x, T target) {
  const T positive = x > T(0) ? x : T(0);
  return (positive - x * target) + std::log1p(std::exp(-std::abs(x)));
}

template <class T>
__global__ void bce_kernel(Layout<3> at, const T* x, const T* target, T* loss) {
  const Elements<3> mine(at);
  Compute<T> v[kPerThread] = {}, wanted[kPerThread] = {};
  mine.load<1>(x, v);
  mine.load<2>(target, wanted);
  mine.each([&](int j) { v[j] = loss_of(v[j], wanted[j]); });
  mine.store(v, loss);
}

}  // namespace

void bce_with_logits(const Context& context, const ConstView& x, const ConstView& target, const View& loss) {
  const Layout<3> at = make_layout<3>(loss.shape, {&loss.strides, &x.strides, &target.strides});
  visit_stored(loss.dtype, [&]<class T>(Tag<T>) {
    launch_elements(context, Row::bce_with_logits, at, bce_kernel<T>, x.ptr<T>(), target.ptr<T>(), loss.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
