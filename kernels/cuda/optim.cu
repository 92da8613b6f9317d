// Rows adam_step and sgd_step.

#include <cmath>

#include "kernels/cuda/elementwise.hpp"

namespace lora::kernels::cuda {

namespace {

/// AdamStep with what does not change within a step worked out, in the parameters' type.
template <class T>
struct Adam {
  T beta1, rest1, beta2, rest2;  // rest: 1 - beta
  T eps, step, root_scale;       // step: lr / bias1; root_scale: sqrt(1 / bias2)
  T keep, into_grad;             // factors of p: before the step (AdamW), and of what is added to the gradient (Adam)
  T sign;
};

template <class T>
Adam<T> adam_of(const AdamStep& s) {
  const auto as = [](double value) { return static_cast<T>(value); };
  return {as(s.beta1),
          as(1 - s.beta1),
          as(s.beta2),
          as(1 - s.beta2),
          as(s.eps),
          as(s.lr / s.bias1),
          as(std::sqrt(1 / s.bias2)),
          as(s.decoupled ? 1 - s.lr * s.weight_decay : 1.0),
          as(s.decoupled ? 0.0 : s.weight_decay),
          as(s.maximize ? -1 : 1)};
}

/// What is updated, all in one layout; max_v null: no AMSGrad.
template <class T>
struct AdamArrays {
  T *p, *m, *v, *max_v;
};

/// The larger one; NaN if there is one.
template <class T>
__device__ inline T larger(T a, T b) {
  return b > a || b != b ? b : a;
}

template <class T>
__global__ void adam_kernel(Layout<2> at, Adam<T> s, const T* grad, AdamArrays<T> to) {
  const Elements<2> mine(at);
  mine.each([&](int j) {
    const Index i = mine.in<0>(j);
    const T p = to.p[i], g = s.into_grad * p + s.sign * grad[mine.in<1>(j)];
    const T m = s.beta1 * to.m[i] + s.rest1 * g;
    const T v = s.beta2 * to.v[i] + s.rest2 * g * g;
    to.m[i] = m;
    to.v[i] = v;
    T second = v;
    if (to.max_v != nullptr) {
      second = to.max_v[i] = larger(to.max_v[i], v);
    }
    to.p[i] = s.keep * p - s.step * (m / (std::sqrt(second) * s.root_scale + s.eps));
  });
}

/// SgdStep in the parameters' type.
template <class T>
struct Sgd {
  T lr, momentum, undamped, weight_decay, sign;
  T from_grad, from_buffer;  // factors in the direction where there is momentum
};

template <class T>
Sgd<T> sgd_of(const SgdStep& s) {
  const auto as = [](double value) { return static_cast<T>(value); };
  return {as(s.lr),
          as(s.momentum),
          as(1 - s.dampening),
          as(s.weight_decay),
          as(s.maximize ? -1 : 1),
          as(s.nesterov ? 1 : 0),
          as(s.nesterov ? s.momentum : 1.0)};
}

/// @param buffer  null: no momentum
template <class T>
__global__ void sgd_kernel(Layout<2> at, Sgd<T> s, const T* grad, T* params, T* buffer) {
  const Elements<2> mine(at);
  mine.each([&](int j) {
    const Index i = mine.in<0>(j);
    const T p = params[i], g = s.weight_decay * p + s.sign * grad[mine.in<1>(j)];
    T direction = g;
    if (buffer != nullptr) {
      const T b = s.momentum * buffer[i] + s.undamped * g;
      buffer[i] = b;
      direction = s.from_buffer * b + s.from_grad * g;
    }
    params[i] = p - s.lr * direction;
  });
}

}  // namespace

void adam_step(const Context& context, const AdamStep& step, const ConstView& g, const View& p, const AdamState& state) {
  const Layout<2> at = make_layout<2>(p.shape, {&p.strides, &g.strides});
  visit_real(p.dtype, [&]<class T>(Tag<T>) {
    T* const max_v = state.max_v == nullptr ? nullptr : state.max_v->ptr<T>();
    const AdamArrays<T> to{p.ptr<T>(), state.m.ptr<T>(), state.v.ptr<T>(), max_v};
    launch_elements(context, Row::adam_step, at, adam_kernel<T>, adam_of<T>(step), g.ptr<T>(), to);
  });
}

void sgd_step(const Context& context, const SgdStep& step, const ConstView& g, const View& p, const View* momentum_buffer) {
  const Layout<2> at = make_layout<2>(p.shape, {&p.strides, &g.strides});
  visit_real(p.dtype, [&]<class T>(Tag<T>) {
    T* const buffer = momentum_buffer == nullptr ? nullptr : momentum_buffer->ptr<T>();
    launch_elements(context, Row::sgd_step, at, sgd_kernel<T>, sgd_of<T>(step), g.ptr<T>(), p.ptr<T>(), buffer);
  });
}

}  // namespace lora::kernels::cuda
