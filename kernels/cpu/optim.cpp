// Row adam_step.

#include <cmath>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// AdamStep with what does not change within a step worked out, in the parameters' type.
template <class T>
struct Constants {
  T beta1, one_minus_beta1, beta2, one_minus_beta2, eps;
  T step;        // lr / bias1
  T root_scale;  // sqrt(1 / bias2)
  T keep;        // factor of p before the step (AdamW)
  T into_grad;   // factor of p that is added to the gradient (Adam)

  explicit Constants(const AdamStep& s)
      : beta1(static_cast<T>(s.beta1)),
        one_minus_beta1(static_cast<T>(1 - s.beta1)),
        beta2(static_cast<T>(s.beta2)),
        one_minus_beta2(static_cast<T>(1 - s.beta2)),
        eps(static_cast<T>(s.eps)),
        step(static_cast<T>(s.lr / s.bias1)),
        root_scale(static_cast<T>(std::sqrt(1 / s.bias2))),
        keep(static_cast<T>(s.decoupled ? 1 - s.lr * s.weight_decay : 1.0)),
        into_grad(static_cast<T>(s.decoupled ? 0.0 : s.weight_decay)) {}
};

/// One element.
template <class T>
[[gnu::always_inline]] inline void update(const Constants<T>& c, T grad, T& p, T& m, T& v) {
  const T g = mul_add(c.into_grad, p, grad);
  m = mul_add(c.beta1, m, c.one_minus_beta1 * g);
  v = mul_add(c.beta2, v, c.one_minus_beta2 * g * g);
  const T direction = m / mul_add(std::sqrt(v), c.root_scale, c.eps);
  p = mul_add(-c.step, direction, c.keep * p);
}

}  // namespace

void adam_step(const Context&, const AdamStep& step, const ConstView& g, const View& p, const View& m, const View& v) {
  const auto walk = make_walk(p.shape, {&p.strides, &m.strides, &v.strides, &g.strides});
  visit_real(p.dtype, [&]<class T>(Tag<T>) {
    const Constants<T> constants(step);
    T *pp = p.ptr<T>(), *pm = m.ptr<T>(), *pv = v.ptr<T>();
    const T* pg = g.ptr<T>();
    const Index grad_step = walk.inner_stride(3);
    walk_parallel(walk, [=](Index n, const Index(&offset)[4]) {
      T *to = pp + offset[0], *first = pm + offset[1], *second = pv + offset[2];
      const T* grad = pg + offset[3];
      if (grad_step == 1) {
        each(n, [=](Index i) { update(constants, grad[i], to[i], first[i], second[i]); });
        return;
      }
      for (Index i = 0; i < n; ++i) {
        update(constants, grad[i * grad_step], to[i], first[i], second[i]);
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
