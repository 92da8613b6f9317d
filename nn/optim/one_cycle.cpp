#include "nn/optim/one_cycle.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lora::optim {

namespace {

constexpr const char* kName = "OneCycleLR";

/// Where `step` is on the way from `begin` to `end`; a way of no length is at its end.
double fraction(double step, double begin, double end) { return end > begin ? (step - begin) / (end - begin) : 1.0; }

}  // namespace

OneCycleLR::OneCycleLR(Optimizer& optimizer, const OneCycleOptions& o) : Scheduler(optimizer), options_(o) {
  require(o.max_lr > 0 && std::isfinite(o.max_lr), kName, "max_lr is ", o.max_lr, "; it must be more than 0");
  require(o.total_steps >= 1, kName, "total_steps is ", o.total_steps, "; give epochs x batches of an epoch");
  require(o.pct_start >= 0 && o.pct_start <= 1, kName, "pct_start is ", o.pct_start, "; it must be in [0,1]");
  require(o.div_factor > 0, kName, "div_factor is ", o.div_factor, "; it must be more than 0");
  require(o.final_div_factor > 0, kName, "final_div_factor is ", o.final_div_factor, "; it must be more than 0");
  optimizer.set_lr(rate_at(0));
}

double OneCycleLR::anneal(double start, double end, double fraction) const {
  if (options_.anneal_strategy == Anneal::linear) {
    return (end - start) * fraction + start;
  }
  return end + (start - end) / 2.0 * (std::cos(std::numbers::pi * fraction) + 1);
}

double OneCycleLR::rate_at(std::int64_t step) const {
  const auto at = static_cast<double>(step);
  const auto total = static_cast<double>(options_.total_steps);
  const double first = options_.max_lr / options_.div_factor;
  const double top = options_.pct_start * total - 1;
  if (at <= top) {
    return anneal(first, options_.max_lr, fraction(at, 0, top));
  }
  return anneal(options_.max_lr, first / options_.final_div_factor, fraction(at, top, total - 1));
}

void OneCycleLR::step() {
  require(last_step_ < options_.total_steps, kName, "stepped more than total_steps = ", options_.total_steps,
          " times; give the steps of the whole training");
  ++last_step_;
  optimizer().set_lr(std::max(0.0, rate_at(last_step_)));  // after the last step a line would go on below 0
}

SchedulerState OneCycleLR::state() const { return {{"last_step", static_cast<double>(last_step_)}}; }

void OneCycleLR::load_state(const SchedulerState& state) {
  detail::check_keys(kName, state, this->state());
  const std::int64_t step = detail::count_in(kName, state, "last_step");
  require(step <= options_.total_steps, kName, "the state is at step ", step, " of ", options_.total_steps,
          "; it is of a longer training: give its total_steps");
  last_step_ = step;
}

}  // namespace lora::optim
