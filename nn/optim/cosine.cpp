#include "nn/optim/cosine.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lora::optim {

namespace {
constexpr const char* kName = "CosineAnnealingLR";
}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, const CosineAnnealingOptions& options)
    : Scheduler(optimizer), options_(options), base_lr_(optimizer.lr()) {
  require(options.T_max >= 1, kName, "T_max is ", options.T_max, "; it must be 1 or more (epochs)");
  require(options.eta_min >= 0, kName, "eta_min is ", options.eta_min, "; it must be 0 or more");
}

void CosineAnnealingLR::step() {
  ++last_epoch_;
  const double turn = std::numbers::pi / static_cast<double>(options_.T_max);
  const double lr = optimizer().lr();
  // At the lowest point the ratio below is 0 / 0: the first step up is taken by itself.
  if ((last_epoch_ - 1 - options_.T_max) % (2 * options_.T_max) == 0) {
    optimizer().set_lr(lr + (base_lr_ - options_.eta_min) * (1 - std::cos(turn)) / 2);
    return;
  }
  const auto t = static_cast<double>(last_epoch_);
  const double ratio = (1 + std::cos(turn * t)) / (1 + std::cos(turn * (t - 1)));
  optimizer().set_lr(std::max(0.0, ratio * (lr - options_.eta_min) + options_.eta_min));  // rounding may reach below 0
}

SchedulerState CosineAnnealingLR::state() const { return {{"base_lr", base_lr_}, {"last_epoch", static_cast<double>(last_epoch_)}}; }

void CosineAnnealingLR::load_state(const SchedulerState& state) {
  detail::check_keys(kName, state, this->state());
  last_epoch_ = detail::count_in(kName, state, "last_epoch");
  base_lr_ = state.at("base_lr");
}

}  // namespace lora::optim
