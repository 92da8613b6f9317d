#include "core/ops/optim.hpp"

#include <cmath>

#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"

namespace lora {

void adam_step_(const AdamStepOptions& o, const Tensor& grad, Tensor& parameter, Tensor& m, Tensor& v) {
  for (const Tensor* x : {&grad, static_cast<const Tensor*>(&m), static_cast<const Tensor*>(&v)}) {
    detail::require_same_float("adam_step_", *x, parameter);
    require(x->shape() == parameter.shape(), "adam_step_", *x, " does not fit the parameter ", parameter);
  }
  require(parameter.is_contiguous() && m.is_contiguous() && v.is_contiguous(), "adam_step_", "parameter and state must be contiguous");
  const auto t = static_cast<double>(o.step);
  const kernels::AdamStep step{o.lr,       o.beta1, o.beta2, o.eps, o.weight_decay, 1.0 - std::pow(o.beta1, t), 1.0 - std::pow(o.beta2, t),
                               o.decoupled};
  for (Tensor* changed : {&parameter, &m, &v}) {
    changed->storage()->bump_version();
  }
  const Tensor g = contiguous(grad.detach());
  detail::kernels_of(parameter).adam_step(detail::context_of(parameter), step, g.view(), parameter.mutable_view(), m.mutable_view(),
                                          v.mutable_view());
}

}  // namespace lora
