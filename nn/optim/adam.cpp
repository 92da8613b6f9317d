#include "nn/optim/adam.hpp"

#include <cmath>
#include <map>

#include "core/autograd.hpp"
#include "core/ops/optim.hpp"

namespace lora::optim {

namespace {

void check_options(const std::string& where, const AdamOptions& o) {
  for (std::size_t i = 0; i < o.betas.size(); ++i) {
    require(o.betas[i] >= 0 && o.betas[i] < 1, where, "beta", i + 1, " is ", o.betas[i], "; it must be in [0,1)");
  }
  require(o.eps >= 0, where, "eps is ", o.eps, "; it must be 0 or more");
  require(o.weight_decay >= 0, where, "weight_decay is ", o.weight_decay, "; it must be 0 or more");
}

/// Takes tensors out of a state by name, and tells what is wrong with them.
class StateReader {
 public:
  StateReader(const std::string& where, const NamedTensors& state) : where_(where) {
    for (const auto& [name, tensor] : state) {
      const bool fresh = left_.emplace(name, tensor).second;
      require(fresh, where_, "the state has '", name, "' twice");
    }
  }
  bool has(const std::string& name) const { return left_.count(name) != 0; }
  Tensor take(const std::string& name, const Shape& shape, DType dtype) {
    const auto it = left_.find(name);
    require(it != left_.end(), where_, "the state lacks '", name, "'; it is of another optimizer or damaged");
    const Tensor tensor = it->second;
    require(tensor.shape() == shape && tensor.dtype() == dtype, where_, "state '", name, "' is ", tensor, ", the parameters need ", dtype,
            shape, "; it is of another model");
    left_.erase(it);
    return tensor;
  }
  void expect_empty() const {
    require(left_.empty(), where_, "the state has '", left_.empty() ? "" : left_.begin()->first,
            "', which these parameters have no use for; it is of another optimizer or model");
  }

 private:
  std::string where_;
  std::map<std::string, Tensor> left_;
};

Tensor copy_shaped_as(const Tensor& parameter, const Tensor& values) {
  Tensor copy = empty_like(parameter.detach());
  copy.copy_(values);
  return copy;
}

}  // namespace

Adam::Adam(std::vector<Tensor> parameters, const AdamOptions& options) : Adam("Adam", std::move(parameters), options, false) {}

Adam::Adam(std::string name, std::vector<Tensor> parameters, const AdamOptions& options, bool decoupled)
    : Optimizer(std::move(name), std::move(parameters), options.lr), options_(options), decoupled_(decoupled) {
  check_options(Optimizer::name(), options_);
  moments_.resize(Optimizer::parameters().size());
}

void Adam::step() {
  const NoGrad off;
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    Tensor p = parameters()[i];
    const Tensor g = p.grad();
    if (!g.defined()) {
      continue;
    }
    Moments& a = moments_[i];
    if (a.steps == 0) {
      a.m = zeros_like(p.detach());
      a.v = zeros_like(p.detach());
    }
    ++a.steps;
    adam_step_({lr(), options_.betas[0], options_.betas[1], options_.eps, options_.weight_decay, a.steps, decoupled_}, g, p, a.m, a.v);
  }
}

NamedTensors Adam::state() const {
  NamedTensors state{{"lr", full({1}, lr(), DType::f64)}};
  for (std::size_t i = 0; i < moments_.size(); ++i) {
    const Moments& a = moments_[i];
    if (a.steps == 0) {
      continue;
    }
    const std::string place = "." + std::to_string(i);
    state.emplace_back("exp_avg" + place, a.m);
    state.emplace_back("exp_avg_sq" + place, a.v);
    state.emplace_back("step" + place, from_values(std::vector<std::int64_t>{a.steps}, {1}));
  }
  return state;
}

void Adam::load_state(const NamedTensors& state) {
  const NoGrad off;
  StateReader reader(name(), state);
  const double lr = reader.take("lr", {1}, DType::f64).item<double>();
  std::vector<Moments> moments(moments_.size());
  for (std::size_t i = 0; i < moments.size(); ++i) {
    const std::string place = "." + std::to_string(i);
    if (!reader.has("exp_avg" + place) && !reader.has("exp_avg_sq" + place) && !reader.has("step" + place)) {
      continue;  // this parameter had not been moved
    }
    const Tensor& p = parameters()[i];
    moments[i].m = copy_shaped_as(p, reader.take("exp_avg" + place, p.shape(), p.dtype()));
    moments[i].v = copy_shaped_as(p, reader.take("exp_avg_sq" + place, p.shape(), p.dtype()));
    moments[i].steps = reader.take("step" + place, {1}, DType::i64).item<std::int64_t>();
    require(moments[i].steps > 0, name(), "state 'step", place, "' is ", moments[i].steps, "; it must be 1 or more");
  }
  reader.expect_empty();
  set_lr(lr);
  moments_ = std::move(moments);
}

AdamW::AdamW(std::vector<Tensor> parameters, const AdamWOptions& o)
    : Adam("AdamW", std::move(parameters), {o.lr, o.betas, o.eps, o.weight_decay}, true) {}

}  // namespace lora::optim
