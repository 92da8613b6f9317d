#include "nn/optim/sgd.hpp"

#include <cmath>

#include "core/autograd.hpp"
#include "core/ops/optim.hpp"
#include "nn/optim/state_reader.hpp"

namespace lora::optim {

namespace {

constexpr const char* kName = "SGD";

void check_options(const SGDOptions& o) {
  require(o.momentum >= 0, kName, "momentum is ", o.momentum, "; it must be 0 or more");
  require(std::isfinite(o.dampening), kName, "dampening is ", o.dampening, "; it must be finite");
  require(o.weight_decay >= 0, kName, "weight_decay is ", o.weight_decay, "; it must be 0 or more");
  require(!o.nesterov || (o.momentum > 0 && o.dampening == 0), kName, "nesterov with momentum ", o.momentum, " and dampening ", o.dampening,
          "; it needs a momentum and no dampening");
}

}  // namespace

SGD::SGD(const std::vector<Tensor>& parameters, const SGDOptions& options) : Optimizer(kName) { add_param_group(parameters, options); }

void SGD::add_param_group(const std::vector<Tensor>& parameters, const SGDOptions& options) {
  check_options(options);
  add_group(parameters, options.lr);
  options_.push_back(options);
  buffers_.resize(Optimizer::parameters().size());
}

void SGD::update(std::size_t i, std::size_t group, const Tensor& grad) {
  const SGDOptions& o = options_[group];
  Tensor p = parameters()[i];
  SgdStepOptions step{lr(group), o.momentum, o.dampening, o.weight_decay, o.nesterov, o.maximize};
  if (o.momentum == 0) {
    sgd_step_(step, grad, p);
    return;
  }
  if (!buffers_[i].defined()) {
    buffers_[i] = zeros_like(p.detach());
    step.dampening = 0;  // the first gradient is taken whole
  }
  sgd_step_(step, grad, p, &buffers_[i]);
}

NamedTensors SGD::state() const {
  NamedTensors state{{"lr", lr_state()}};
  for (std::size_t i = 0; i < buffers_.size(); ++i) {
    if (buffers_[i].defined()) {
      state.emplace_back("momentum_buffer." + std::to_string(i), buffers_[i]);
    }
  }
  return state;
}

void SGD::load_state(const NamedTensors& state) {
  const NoGrad off;
  StateReader reader(kName, state);
  const std::vector<double> lrs = reader.take_lrs(num_groups());
  std::vector<Tensor> buffers(buffers_.size());
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const std::string key = "momentum_buffer." + std::to_string(i);
    if (options_[group_of(i)].momentum > 0 && reader.has(key)) {
      buffers[i] = reader.take_like(key, parameters()[i]);
    }
  }
  reader.expect_empty();
  set_lrs(lrs);
  buffers_ = std::move(buffers);
}

}  // namespace lora::optim
