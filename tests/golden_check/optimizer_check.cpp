#include "core/autograd.hpp"
#include "core/ops/view.hpp"
#include "nn/optim/adam.hpp"
#include "nn/optim/sgd.hpp"
#include "tests/golden_check/check.hpp"

namespace lora::test {

namespace {

template <class Options>
Options adam_options(Case& c) {
  Options o;
  o.lr = c.attribute<double>("lr");
  o.betas = c.attribute<std::array<double, 2>>("betas");
  o.eps = c.attribute<double>("eps");
  o.weight_decay = c.attribute<double>("weight_decay");
  o.amsgrad = c.attribute<bool>("amsgrad");
  return o;
}

optim::SGDOptions sgd_options(Case& c) {
  optim::SGDOptions o;
  o.lr = c.attribute<double>("lr");
  o.momentum = c.attribute<double>("momentum");
  o.dampening = c.attribute<double>("dampening");
  o.weight_decay = c.attribute<double>("weight_decay");
  o.nesterov = c.attribute<bool>("nesterov");
  return o;
}

std::unique_ptr<optim::Optimizer> optimizer_of(Case& c, const Tensor& parameter) {
  const auto type = c.attribute<std::string>("type");
  if (type == "SGD") {
    return std::make_unique<optim::SGD>(std::vector<Tensor>{parameter}, sgd_options(c));
  }
  if (type == "Adam") {
    return std::make_unique<optim::Adam>(std::vector<Tensor>{parameter}, adam_options<optim::AdamOptions>(c));
  }
  require(type == "AdamW", "golden", "unknown optimizer '", type, "'");
  return std::make_unique<optim::AdamW>(std::vector<Tensor>{parameter}, adam_options<optim::AdamWOptions>(c));
}

}  // namespace

/// A parameter that starts at `p0` and gets `grads[i]` in step i: its values after every step.
void check_optimizer(Case& c) {
  Tensor parameter = c.input("p0");
  parameter.requires_grad_();
  const auto optimizer = optimizer_of(c, parameter);
  const Tensor grads = c.input("grads");
  Tensor trajectory = zeros(grads.shape(), grads.dtype(), grads.device());
  for (Index i = 0; i < grads.size(0); ++i) {
    parameter.set_grad(squeeze(narrow(grads, 0, i, 1), 0));
    optimizer->step();
    squeeze(narrow(trajectory, 0, i, 1), 0).copy_(parameter.detach());
  }
  c.expect("trajectory", trajectory);
}

}  // namespace lora::test
