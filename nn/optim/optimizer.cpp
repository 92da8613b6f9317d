#include "nn/optim/optimizer.hpp"

#include <cmath>
#include <set>

#include "core/autograd.hpp"

namespace lora::optim {

namespace {

void check_parameters(const std::string& where, const std::vector<Tensor>& parameters) {
  require(!parameters.empty(), where, "got an empty list of parameters; give it module.trainable_parameters()");
  std::set<const AutogradMeta*> seen;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& p = parameters[i];
    require(p.defined(), where, "parameter ", i, " is undefined; give it a value first");
    require(is_float(p.dtype()), where, "parameter ", i, " is ", p, "; only f32 and f64 can be trained");
    require(p.is_leaf(), where, "parameter ", i, " (", p, ") is the result of an op; give the leaf it was computed from");
    const bool fresh = p.meta() == nullptr || seen.insert(p.meta().get()).second;
    require(fresh, where, "parameter ", i, " (", p, ") is in the list twice; give each parameter once");
  }
}

}  // namespace

Optimizer::Optimizer(std::string name, std::vector<Tensor> parameters, double lr)
    : name_(std::move(name)), parameters_(std::move(parameters)) {
  check_parameters(name_, parameters_);
  set_lr(lr);
}

void Optimizer::zero_grad() {
  for (Tensor& p : parameters_) {
    p.set_grad(Tensor());
  }
}

void Optimizer::set_lr(double lr) {
  require(lr >= 0 && std::isfinite(lr), name_, "the learning rate is ", lr, "; it must be 0 or more");
  lr_ = lr;
}

}  // namespace lora::optim
