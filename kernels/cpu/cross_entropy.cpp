// Rows cross_entropy and cross_entropy_grad.

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/lines.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// What a line's target distribution adds: `hit` at the target, `rest` everywhere.
struct Smoothed {
  double hit, rest;
  Smoothed(double smoothing, Index classes) : hit(1.0 - smoothing), rest(smoothing / static_cast<double>(std::max<Index>(1, classes))) {}
};

template <class T, bool kUnit>
T loss_of(Index n, const Line<const T, kUnit>& log_probs, Index target, const Smoothed& wanted) {
  double loss = -wanted.hit * static_cast<double>(log_probs[target]);
  if (wanted.rest != 0.0) {  // else nothing is added, not even 0 times infinity
    loss -= wanted.rest * sum_of<T>(n, [&](Index i) { return log_probs[i]; });
  }
  return static_cast<T>(loss);
}

template <class T, bool kUnit>
void losses(const LinePlan<3>& plan, const Smoothed& wanted, const T* log_probs, const Index* target, T* loss) {
  walk_lines<1>(plan, [=, &plan](Index, const Index(&offset)[3]) {
    const Index hit = target[offset[1]];
    loss[offset[2]] = hit < 0 ? T(0) : loss_of(plan.n, Line<const T, kUnit>{log_probs + offset[0], plan.step[0]}, hit, wanted);
  });
}

/// gx of one line; 0 whatever gy is where the target is ignored.
template <class T, bool kUnit>
void grad_line(Index n, const Line<const T, kUnit>& log_probs, Index target, T gy, const Smoothed& wanted, const Line<T, kUnit>& gx) {
  if (target < 0) {
    return each(n, [=](Index i) { gx[i] = T(0); });
  }
  const T rest = static_cast<T>(wanted.rest);
  each(n, [=](Index i) { gx[i] = gy * (fast_exp(log_probs[i]) - rest); });
  gx[target] = gy * ((fast_exp(log_probs[target]) - rest) - static_cast<T>(wanted.hit));
}

template <class T, bool kUnit>
void gradients(const LinePlan<4>& plan, const Smoothed& wanted, const T* log_probs, const Index* target, const T* gy, T* gx) {
  walk_lines<1>(plan, [=, &plan](Index, const Index(&offset)[4]) {
    grad_line(plan.n, Line<const T, kUnit>{log_probs + offset[1], plan.step[1]}, target[offset[2]], gy[offset[3]], wanted,
              Line<T, kUnit>{gx + offset[0], plan.step[0]});
  });
}

}  // namespace

void cross_entropy(const Context& context, double smoothing, const ConstView& x, const ConstView& target, const View& log_probs,
                   const View& loss) {
  const int axis = x.shape.ndim() - 1;
  softmax(context, true, axis, x, log_probs);
  const LinePlan<3> plan = plan_lines(x.shape, axis, {&log_probs.strides, &target.strides, &loss.strides});
  const Smoothed wanted(smoothing, plan.n);
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    if (plan.step[0] == 1) {
      losses<T, true>(plan, wanted, log_probs.ptr<T>(), target.ptr<Index>(), loss.ptr<T>());
    } else {
      losses<T, false>(plan, wanted, log_probs.ptr<T>(), target.ptr<Index>(), loss.ptr<T>());
    }
  });
}

void cross_entropy_grad(const Context&, double smoothing, const ConstView& log_probs, const ConstView& target, const ConstView& gy,
                        const View& gx) {
  const LinePlan<4> plan = plan_lines(gx.shape, gx.shape.ndim() - 1, {&gx.strides, &log_probs.strides, &target.strides, &gy.strides});
  const Smoothed wanted(smoothing, plan.n);
  visit_real(gx.dtype, [&]<class T>(Tag<T>) {
    if (plan.step[0] == 1 && plan.step[1] == 1) {
      gradients<T, true>(plan, wanted, log_probs.ptr<T>(), target.ptr<Index>(), gy.ptr<T>(), gx.ptr<T>());
    } else {
      gradients<T, false>(plan, wanted, log_probs.ptr<T>(), target.ptr<Index>(), gy.ptr<T>(), gx.ptr<T>());
    }
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
