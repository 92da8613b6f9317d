#include "core/ops/optim.hpp"

#include <cmath>
#include <initializer_list>

#include "core/ops/kernel_call.hpp"

namespace lora {

namespace {

/// Checks what a step works on, and counts its changes. `state` may have null pointers.
void begin_step(const char* op, const Tensor& grad, const Tensor& parameter, std::initializer_list<const Tensor*> state) {
  const auto check = [&](const Tensor& x) {
    detail::require_same_float(op, x, parameter);
    require(x.shape() == parameter.shape(), op, x, " does not fit the parameter ", parameter);
  };
  check(grad);
  require(parameter.is_leaf(), op, "the parameter ", parameter, " is the result of an op, whose gradient a change in place would spoil");
  require(parameter.is_contiguous(), op, "the parameter ", parameter, " is not contiguous; give its contiguous()");
  for (const Tensor* x : state) {
    if (x != nullptr) {
      check(*x);
      require(x->is_contiguous(), op, "the state ", *x, " is not contiguous; give its contiguous()");
    }
  }
  parameter.storage()->bump_version();
  for (const Tensor* x : state) {
    if (x != nullptr) {
      x->storage()->bump_version();
    }
  }
}

}  // namespace

void adam_step_(const AdamStepOptions& o, const Tensor& grad, Tensor& parameter, Tensor& m, Tensor& v, Tensor* max_v) {
  begin_step("adam_step_", grad, parameter, {&m, &v, max_v});
  const auto t = static_cast<double>(o.step);
  const double bias1 = 1.0 - std::pow(o.beta1, t), bias2 = 1.0 - std::pow(o.beta2, t);
  const kernels::AdamStep step{o.lr, o.beta1, o.beta2, o.eps, o.weight_decay, bias1, bias2, o.decoupled, o.maximize};
  const View largest = max_v == nullptr ? View{} : max_v->mutable_view();
  const kernels::AdamState state{m.mutable_view(), v.mutable_view(), max_v == nullptr ? nullptr : &largest};
  detail::kernels_of(parameter).adam_step(detail::context_of(parameter), step, grad.view(), parameter.mutable_view(), state);
}

void sgd_step_(const SgdStepOptions& o, const Tensor& grad, Tensor& parameter, Tensor* momentum_buffer) {
  begin_step("sgd_step_", grad, parameter, {momentum_buffer});
  const kernels::SgdStep step{o.lr, o.momentum, o.dampening, o.weight_decay, o.nesterov, o.maximize};
  const View buffer = momentum_buffer == nullptr ? View{} : momentum_buffer->mutable_view();
  detail::kernels_of(parameter).sgd_step(detail::context_of(parameter), step, grad.view(), parameter.mutable_view(),
                                         momentum_buffer == nullptr ? nullptr : &buffer);
}

}  // namespace lora
