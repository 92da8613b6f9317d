#include "nn/optim/adam.hpp"

#include "core/autograd.hpp"
#include "core/ops/optim.hpp"
#include "nn/optim/state_reader.hpp"

namespace lora::optim {

namespace {

void check_options(const std::string& where, const AdamOptions& o) {
  for (std::size_t i = 0; i < o.betas.size(); ++i) {
    require(o.betas[i] >= 0 && o.betas[i] < 1, where, "beta", i + 1, " is ", o.betas[i], "; it must be in [0,1)");
  }
  require(o.eps >= 0, where, "eps is ", o.eps, "; it must be 0 or more");
  require(o.weight_decay >= 0, where, "weight_decay is ", o.weight_decay, "; it must be 0 or more");
}

AdamOptions adam_options(const AdamWOptions& o) { return {o.lr, o.betas, o.eps, o.weight_decay, o.amsgrad, o.maximize}; }

}  // namespace

Adam::Adam(const std::vector<Tensor>& parameters, const AdamOptions& options) : Adam("Adam", parameters, options, false) {}

Adam::Adam(std::string name, const std::vector<Tensor>& parameters, const AdamOptions& options, bool decoupled)
    : Optimizer(std::move(name)), decoupled_(decoupled) {
  Adam::add_param_group(parameters, options);
}

void Adam::add_param_group(const std::vector<Tensor>& parameters, const AdamOptions& options) {
  check_options(name(), options);
  add_group(parameters, options.lr);
  options_.push_back(options);
  moments_.resize(Optimizer::parameters().size());
}

void Adam::update(std::size_t i, std::size_t group, const Tensor& grad) {
  const AdamOptions& o = options_[group];
  Tensor p = parameters()[i];
  Moments& a = moments_[i];
  if (a.steps == 0) {
    a.m = zeros_like(p.detach());
    a.v = zeros_like(p.detach());
    a.max_v = o.amsgrad ? zeros_like(p.detach()) : Tensor();
  }
  ++a.steps;
  const AdamStepOptions step{lr(group), o.betas[0], o.betas[1], o.eps, o.weight_decay, a.steps, decoupled_, o.maximize};
  adam_step_(step, grad, p, a.m, a.v, o.amsgrad ? &a.max_v : nullptr);
}

NamedTensors Adam::state() const {
  NamedTensors state{{"lr", lr_state()}};
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    const Moments& a = moments_[i];
    if (a.steps == 0) {
      continue;
    }
    const std::string place = "." + std::to_string(i);
    state.emplace_back("exp_avg" + place, a.m);
    state.emplace_back("exp_avg_sq" + place, a.v);
    state.emplace_back("step" + place, from_values(std::vector<std::int64_t>{a.steps}, {1}));
    if (a.max_v.defined()) {
      state.emplace_back("max_exp_avg_sq" + place, a.max_v);
    }
  }
  return state;
}

void Adam::load_state(const NamedTensors& state) {
  const NoGrad off;
  StateReader reader(name(), state);
  const std::vector<double> lrs = reader.take_lrs(num_groups());
  std::vector<Moments> moments(moments_.size());
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const std::string place = "." + std::to_string(i);
    if (!reader.has("exp_avg" + place) && !reader.has("exp_avg_sq" + place) && !reader.has("step" + place)) {
      continue;  // this parameter had not been moved
    }
    const Tensor& p = parameters()[i];
    Moments& a = moments[i];
    a.m = reader.take_like("exp_avg" + place, p);
    a.v = reader.take_like("exp_avg_sq" + place, p);
    a.steps = reader.take("step" + place, {1}, DType::i64).item<std::int64_t>();
    a.max_v = options_[group_of(i)].amsgrad ? reader.take_like("max_exp_avg_sq" + place, p) : Tensor();
    require(a.steps > 0, name(), "state 'step", place, "' is ", a.steps, "; it must be 1 or more");
  }
  reader.expect_empty();
  set_lrs(lrs);
  moments_ = std::move(moments);
}

AdamW::AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options) : Adam("AdamW", parameters, adam_options(options), true) {}

void AdamW::add_param_group(const std::vector<Tensor>& parameters, const AdamWOptions& options) {
  Adam::add_param_group(parameters, adam_options(options));
}

}  // namespace lora::optim
