// Rows adam_step and sgd_step.

#include <cmath>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// update(i, gradient) for every element, where i is its place in p and in whatever else is contiguous and of p's shape.
template <class T, class Update>
void each_gradient(const View& p, const ConstView& g, const Update& update) {
  const auto walk = make_walk(p.shape, {&p.strides, &g.strides});
  const Index step = walk.inner_stride(1);
  walk_parallel(walk, [=, from = g.ptr<T>()](Index n, const Index(&offset)[2]) {
    const Index first = offset[0];
    const T* grad = from + offset[1];
    if (step == 1) {
      each(n, [=](Index i) { update(first + i, grad[i]); });
      return;
    }
    for (Index i = 0; i < n; ++i) {
      update(first + i, grad[i * step]);
    }
  });
}

/// AdamStep with what does not change within a step worked out, in the parameters' type.
template <class T>
struct Adam {
  T beta1, one_minus_beta1, beta2, one_minus_beta2, eps;
  T step;        // lr / bias1
  T root_scale;  // sqrt(1 / bias2)
  T keep;        // factor of p before the step (AdamW)
  T into_grad;   // factor of p that is added to the gradient (Adam)
  T sign;        // factor of the gradient

  explicit Adam(const AdamStep& s)
      : beta1(static_cast<T>(s.beta1)),
        one_minus_beta1(static_cast<T>(1 - s.beta1)),
        beta2(static_cast<T>(s.beta2)),
        one_minus_beta2(static_cast<T>(1 - s.beta2)),
        eps(static_cast<T>(s.eps)),
        step(static_cast<T>(s.lr / s.bias1)),
        root_scale(static_cast<T>(std::sqrt(1 / s.bias2))),
        keep(static_cast<T>(s.decoupled ? 1 - s.lr * s.weight_decay : 1.0)),
        into_grad(static_cast<T>(s.decoupled ? 0.0 : s.weight_decay)),
        sign(static_cast<T>(s.maximize ? -1 : 1)) {}

  /// One element. `bound` changes the v that the step is divided by.
  template <class Bound>
  [[gnu::always_inline]] inline void update(T grad, T& p, T& m, T& v, const Bound& bound) const {
    const T g = mul_add(into_grad, p, sign * grad);
    m = mul_add(beta1, m, one_minus_beta1 * g);
    v = mul_add(beta2, v, one_minus_beta2 * g * g);
    const T direction = m / mul_add(std::sqrt(bound(v)), root_scale, eps);
    p = mul_add(-step, direction, keep * p);
  }
};

/// The larger one; NaN if there is one.
template <class T>
[[gnu::always_inline]] inline T larger(T a, T b) {
  const T most = b > a ? b : a;
  return b != b ? b : most;
}

/// SgdStep in the parameters' type.
template <class T>
struct Sgd {
  T lr, momentum, one_minus_dampening, weight_decay, sign;
  T from_grad;  // factor of the gradient in the direction that the momentum is part of
  T from_momentum;

  explicit Sgd(const SgdStep& s)
      : lr(static_cast<T>(s.lr)),
        momentum(static_cast<T>(s.momentum)),
        one_minus_dampening(static_cast<T>(1 - s.dampening)),
        weight_decay(static_cast<T>(s.weight_decay)),
        sign(static_cast<T>(s.maximize ? -1 : 1)),
        from_grad(static_cast<T>(s.nesterov ? 1 : 0)),
        from_momentum(static_cast<T>(s.nesterov ? s.momentum : 1.0)) {}

  [[gnu::always_inline]] inline T decayed(T grad, T p) const { return mul_add(weight_decay, p, sign * grad); }
  [[gnu::always_inline]] inline void update(T grad, T& p) const { p = mul_add(-lr, decayed(grad, p), p); }
  [[gnu::always_inline]] inline void update(T grad, T& p, T& b) const {
    const T g = decayed(grad, p);
    b = mul_add(momentum, b, one_minus_dampening * g);
    p = mul_add(-lr, mul_add(from_momentum, b, from_grad * g), p);
  }
};

}  // namespace

void adam_step(const Context&, const AdamStep& step, const ConstView& g, const View& p, const AdamState& state) {
  visit_real(p.dtype, [&]<class T>(Tag<T>) {
    const Adam<T> adam(step);
    T *to = p.ptr<T>(), *m = state.m.ptr<T>(), *v = state.v.ptr<T>();
    if (state.max_v == nullptr) {
      each_gradient<T>(p, g, [=](Index i, T grad) { adam.update(grad, to[i], m[i], v[i], [](T now) { return now; }); });
      return;
    }
    T* most = state.max_v->ptr<T>();
    each_gradient<T>(p, g,
                     [=](Index i, T grad) { adam.update(grad, to[i], m[i], v[i], [&](T now) { return most[i] = larger(most[i], now); }); });
  });
}

void sgd_step(const Context&, const SgdStep& step, const ConstView& g, const View& p, const View* momentum_buffer) {
  visit_real(p.dtype, [&]<class T>(Tag<T>) {
    const Sgd<T> sgd(step);
    T* to = p.ptr<T>();
    if (momentum_buffer == nullptr) {
      each_gradient<T>(p, g, [=](Index i, T grad) { sgd.update(grad, to[i]); });
      return;
    }
    T* buffer = momentum_buffer->ptr<T>();
    each_gradient<T>(p, g, [=](Index i, T grad) { sgd.update(grad, to[i], buffer[i]); });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
