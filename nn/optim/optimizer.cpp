#include "nn/optim/optimizer.hpp"

#include <cmath>
#include <set>

#include "core/autograd.hpp"

namespace lora::optim {

void Optimizer::check_parameters(const std::vector<Tensor>& fresh) const {
  require(!fresh.empty(), name_, "got an empty list of parameters; give it module.trainable_parameters()");
  std::set<const AutogradMeta*> grouped, seen;
  for (const Tensor& p : parameters_) {
    grouped.insert(p.meta().get());
  }
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    const Tensor& p = fresh[i];
    require(p.defined(), name_, "parameter ", i, " is undefined; give it a value first");
    require(is_float(p.dtype()), name_, "parameter ", i, " is ", p, "; only f32 and f64 can be trained");
    require(p.is_leaf(), name_, "parameter ", i, " (", p, ") is the result of an op; give the leaf it was computed from");
    if (p.meta() != nullptr) {
      require(seen.insert(p.meta().get()).second, name_, "parameter ", i, " (", p, ") is in the list twice; give each parameter once");
      require(grouped.count(p.meta().get()) == 0, name_, "parameter ", i, " (", p,
              ") is in another group already; give each parameter to one group");
    }
  }
}

void Optimizer::add_group(const std::vector<Tensor>& parameters, double lr) {
  check_parameters(parameters);
  check_lr(lr);
  parameters_.insert(parameters_.end(), parameters.begin(), parameters.end());
  groups_.push_back({parameters_.size(), lr});
}

void Optimizer::step() {
  const NoGrad off;
  std::size_t i = 0;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    for (; i < groups_[group].end; ++i) {
      const Tensor grad = parameters_[i].grad();
      if (grad.defined()) {
        update(i, group, grad);
      }
    }
  }
}

void Optimizer::zero_grad() {
  for (Tensor& p : parameters_) {
    p.set_grad(Tensor());
  }
}

void Optimizer::check_lr(double lr) const {
  require(lr >= 0 && std::isfinite(lr), name_, "the learning rate is ", lr, "; it must be 0 or more");
}

void Optimizer::check_group(std::size_t group) const {
  require(group < groups_.size(), name_, "there is no group ", group, ", only ", groups_.size(), "; the first is 0");
}

double Optimizer::lr(std::size_t group) const {
  check_group(group);
  return groups_[group].lr;
}

void Optimizer::set_lr(double lr, std::size_t group) {
  check_group(group);
  check_lr(lr);
  groups_[group].lr = lr;
}

std::vector<double> Optimizer::lrs() const {
  std::vector<double> all;
  for (const Group& group : groups_) {
    all.push_back(group.lr);
  }
  return all;
}

void Optimizer::set_lrs(const std::vector<double>& lrs) {
  require(lrs.size() == groups_.size(), name_, "got ", lrs.size(), " learning rates for ", groups_.size(), " groups; give one for each");
  for (const double lr : lrs) {
    check_lr(lr);
  }
  for (std::size_t i = 0; i < lrs.size(); ++i) {
    groups_[i].lr = lrs[i];
  }
}

std::size_t Optimizer::group_of(std::size_t i) const {
  std::size_t group = 0;
  while (i >= groups_[group].end) {
    ++group;
  }
  return group;
}

Tensor Optimizer::lr_state() const { return from_values(lrs(), {static_cast<Index>(groups_.size())}); }

}  // namespace lora::optim
