#include "nn/optim/one_cycle.hpp"

#include <cmath>
#include <numbers>

namespace lora::optim {

namespace {

constexpr const char* kName = "OneCycleLR";

/// Where `step` is on the way from `begin` to `end`; a way of no length is at its end.
double fraction(double step, double begin, double end) { return end > begin ? (step - begin) / (end - begin) : 1.0; }

}  // namespace

OneCycleLR::OneCycleLR(Optimizer& optimizer, const OneCycleOptions& o) : LRScheduler(kName, optimizer), options_(o) {
  require(o.max_lr > 0 && std::isfinite(o.max_lr), kName, "max_lr is ", o.max_lr, "; it must be more than 0");
  require(o.total_steps >= 1, kName, "total_steps is ", o.total_steps, "; give epochs x batches of an epoch");
  require(o.pct_start >= 0 && o.pct_start <= 1, kName, "pct_start is ", o.pct_start, "; it must be in [0,1]");
  require(o.div_factor > 0, kName, "div_factor is ", o.div_factor, "; it must be more than 0");
  require(o.final_div_factor > 0, kName, "final_div_factor is ", o.final_div_factor, "; it must be more than 0");
  optimizer.set_lrs(std::vector<double>(optimizer.num_groups(), rate_at(0)));
}

double OneCycleLR::anneal(double start, double end, double fraction) const {
  if (options_.anneal_strategy == Anneal::linear) {
    return (end - start) * fraction + start;
  }
  return end + (start - end) / 2.0 * (std::cos(std::numbers::pi * fraction) + 1);
}

/// After the last step a line goes on below 0.
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

double OneCycleLR::next_lr(std::int64_t t, double, double) const { return rate_at(t); }

void OneCycleLR::check_step(std::int64_t t) const {
  require(t <= options_.total_steps, kName, "asked for step ", t, " of total_steps = ", options_.total_steps,
          "; give the steps of the whole training");
}

}  // namespace lora::optim
