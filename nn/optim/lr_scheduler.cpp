#include "nn/optim/lr_scheduler.hpp"

#include <algorithm>
#include <cmath>

namespace lora::optim {

LRScheduler::LRScheduler(std::string name, Optimizer& optimizer)
    : Scheduler(optimizer), name_(std::move(name)), base_lrs_(optimizer.lrs()) {}

void LRScheduler::step() {
  std::vector<double> rates = optimizer().lrs();
  require(rates.size() == base_lrs_.size(), name_, "made for ", base_lrs_.size(), " parameter groups, but the optimizer has ", rates.size(),
          " now; make the scheduler after the last add_param_group()");
  const std::int64_t t = last_epoch_ + 1;
  check_step(t);
  for (std::size_t i = 0; i < rates.size(); ++i) {
    rates[i] = std::max(0.0, next_lr(t, rates[i], base_lrs_[i]));
  }
  optimizer().set_lrs(rates);
  last_epoch_ = t;
}

SchedulerState LRScheduler::state() const {
  SchedulerState state{{"last_epoch", static_cast<double>(last_epoch_)}};
  for (std::size_t i = 0; i < base_lrs_.size(); ++i) {
    state["base_lr." + std::to_string(i)] = base_lrs_[i];
  }
  return state;
}

void LRScheduler::load_state(const SchedulerState& state) {
  detail::check_keys(name_, state, this->state());
  const std::int64_t epoch = detail::count_in(name_, state, "last_epoch");
  if (epoch > 0) {
    check_step(epoch);
  }
  std::vector<double> base_lrs;
  for (std::size_t i = 0; i < base_lrs_.size(); ++i) {
    const std::string key = "base_lr." + std::to_string(i);
    base_lrs.push_back(state.at(key));
    require(base_lrs[i] >= 0 && std::isfinite(base_lrs[i]), name_, "state '", key, "' is ", base_lrs[i], "; it must be 0 or more");
  }
  last_epoch_ = epoch;
  base_lrs_ = std::move(base_lrs);
}

}  // namespace lora::optim
