#include "nn/optim/cosine.hpp"
#include "nn/optim/exponential_lr.hpp"
#include "nn/optim/linear_lr.hpp"
#include "nn/optim/one_cycle.hpp"
#include "nn/optim/plateau.hpp"
#include "nn/optim/sgd.hpp"
#include "nn/optim/step_lr.hpp"
#include "tests/golden_check/check.hpp"

namespace lora::test {

namespace {

using SchedulerPtr = std::unique_ptr<optim::Scheduler>;

SchedulerPtr one_cycle(Case& c, optim::Optimizer& optimizer) {
  const auto strategy = c.attribute<std::string>("anneal_strategy");
  require(strategy == "cos" || strategy == "linear", "golden", "unknown anneal_strategy '", strategy, "'");
  optim::OneCycleOptions o;
  o.max_lr = c.attribute<double>("max_lr");
  o.total_steps = c.attribute<std::int64_t>("total_steps");
  o.pct_start = c.attribute<double>("pct_start");
  o.anneal_strategy = strategy == "cos" ? optim::Anneal::cos : optim::Anneal::linear;
  o.div_factor = c.attribute<double>("div_factor");
  o.final_div_factor = c.attribute<double>("final_div_factor");
  return std::make_unique<optim::OneCycleLR>(optimizer, o);
}

SchedulerPtr plateau(Case& c, optim::Optimizer& optimizer) {
  const auto mode = c.attribute<std::string>("mode"), threshold_mode = c.attribute<std::string>("threshold_mode");
  require(mode == "min" || mode == "max", "golden", "unknown mode '", mode, "'");
  require(threshold_mode == "rel" || threshold_mode == "abs", "golden", "unknown threshold_mode '", threshold_mode, "'");
  optim::ReduceLROnPlateauOptions o;
  o.mode = mode == "min" ? optim::Mode::min : optim::Mode::max;
  o.factor = c.attribute<double>("factor");
  o.patience = c.attribute<std::int64_t>("patience");
  o.threshold = c.attribute<double>("threshold");
  o.threshold_mode = threshold_mode == "rel" ? optim::ThresholdMode::rel : optim::ThresholdMode::abs;
  o.cooldown = c.attribute<std::int64_t>("cooldown");
  o.min_lr = c.attribute<double>("min_lr");
  o.eps = c.attribute<double>("eps");
  return std::make_unique<optim::ReduceLROnPlateau>(optimizer, o);
}

SchedulerPtr scheduler_of(Case& c, optim::Optimizer& optimizer) {
  const auto type = c.attribute<std::string>("type");
  if (type == "StepLR") {
    return std::make_unique<optim::StepLR>(optimizer,
                                           optim::StepLROptions{c.attribute<std::int64_t>("step_size"), c.attribute<double>("gamma")});
  }
  if (type == "CosineAnnealingLR") {
    return std::make_unique<optim::CosineAnnealingLR>(
        optimizer, optim::CosineAnnealingOptions{c.attribute<std::int64_t>("T_max"), c.attribute<double>("eta_min")});
  }
  if (type == "ExponentialLR") {
    return std::make_unique<optim::ExponentialLR>(optimizer, optim::ExponentialLROptions{c.attribute<double>("gamma")});
  }
  if (type == "LinearLR") {
    return std::make_unique<optim::LinearLR>(optimizer,
                                             optim::LinearLROptions{c.attribute<double>("start_factor"), c.attribute<double>("end_factor"),
                                                                    c.attribute<std::int64_t>("total_iters")});
  }
  if (type == "OneCycleLR") {
    return one_cycle(c, optimizer);
  }
  require(type == "ReduceLROnPlateau", "golden", "unknown scheduler '", type, "'");
  return plateau(c, optimizer);
}

Tensor as_tensor(const std::vector<double>& rates) { return from_values(rates, {static_cast<Index>(rates.size())}); }

}  // namespace

/// The rate of `base_lr` before each step (`lr`), or after each step with a metric (`lr_after`).
void check_scheduler(Case& c) {
  Tensor parameter = zeros({1}, DType::f64);
  parameter.requires_grad_();
  optim::SGDOptions options;
  options.lr = c.attribute<double>("base_lr");
  optim::SGD optimizer({parameter}, options);
  const SchedulerPtr scheduler = scheduler_of(c, optimizer);
  std::vector<double> rates;
  if (scheduler->metric() != optim::Metric::none) {
    for (const double metric : c.input("metric").to_vector<double>()) {
      scheduler->step(metric);
      rates.push_back(optimizer.lr());
    }
    c.expect("lr_after", as_tensor(rates));
    return;
  }
  const Index steps = c.expected_shape("lr").numel();
  for (Index i = 0; i < steps; ++i) {
    rates.push_back(optimizer.lr());
    if (i + 1 < steps) {
      scheduler->step();
    }
  }
  c.expect("lr", as_tensor(rates));
}

}  // namespace lora::test
