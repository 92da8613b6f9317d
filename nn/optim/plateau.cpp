#include "nn/optim/plateau.hpp"

#include <algorithm>
#include <limits>

namespace lora::optim {

namespace {
constexpr const char* kName = "ReduceLROnPlateau";
constexpr double kInfinity = std::numeric_limits<double>::infinity();
}  // namespace

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& o)
    : Scheduler(optimizer), options_(o), best_(o.mode == Mode::min ? kInfinity : -kInfinity) {
  require(o.factor >= 0 && o.factor < 1, kName, "factor is ", o.factor, "; it must be in [0,1)");
  require(o.patience >= 0, kName, "patience is ", o.patience, "; it must be 0 or more (epochs)");
  require(o.cooldown >= 0, kName, "cooldown is ", o.cooldown, "; it must be 0 or more (epochs)");
  require(o.threshold >= 0, kName, "threshold is ", o.threshold, "; it must be 0 or more");
  require(o.min_lr >= 0, kName, "min_lr is ", o.min_lr, "; it must be 0 or more");
  require(o.eps >= 0, kName, "eps is ", o.eps, "; it must be 0 or more");
}

void ReduceLROnPlateau::step() { fail(kName, "step() needs the value to watch; call step(metric)"); }

bool ReduceLROnPlateau::better(double value) const {
  const bool relative = options_.threshold_mode == ThresholdMode::rel;
  if (options_.mode == Mode::min) {
    return value < (relative ? best_ * (1 - options_.threshold) : best_ - options_.threshold);
  }
  return value > (relative ? best_ * (1 + options_.threshold) : best_ + options_.threshold);
}

void ReduceLROnPlateau::step(double metric) {
  if (better(metric)) {
    best_ = metric;
    num_bad_epochs_ = 0;
  } else {
    ++num_bad_epochs_;
  }
  if (cooldown_counter_ > 0) {
    --cooldown_counter_;
    num_bad_epochs_ = 0;
  }
  if (num_bad_epochs_ > options_.patience) {
    reduce();
    cooldown_counter_ = options_.cooldown;
    num_bad_epochs_ = 0;
  }
}

void ReduceLROnPlateau::reduce() {
  for (std::size_t group = 0; group < optimizer().num_groups(); ++group) {
    const double before = optimizer().lr(group);
    const double after = std::max(before * options_.factor, options_.min_lr);
    if (before - after > options_.eps) {
      optimizer().set_lr(after, group);
    }
  }
}

SchedulerState ReduceLROnPlateau::state() const {
  return {{"best", best_},
          {"cooldown_counter", static_cast<double>(cooldown_counter_)},
          {"num_bad_epochs", static_cast<double>(num_bad_epochs_)}};
}

void ReduceLROnPlateau::load_state(const SchedulerState& state) {
  detail::check_keys(kName, state, this->state());
  const std::int64_t cooldown = detail::count_in(kName, state, "cooldown_counter");
  const std::int64_t bad = detail::count_in(kName, state, "num_bad_epochs");
  cooldown_counter_ = cooldown;
  num_bad_epochs_ = bad;
  best_ = state.at("best");
}

}  // namespace lora::optim
