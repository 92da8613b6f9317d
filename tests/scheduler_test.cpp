#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "nn/optim/cosine.hpp"
#include "nn/optim/exponential_lr.hpp"
#include "nn/optim/linear_lr.hpp"
#include "nn/optim/one_cycle.hpp"
#include "nn/optim/plateau.hpp"
#include "nn/optim/step_lr.hpp"
#include "tests/support/optim.hpp"

using namespace lora;
using namespace lora::optim;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

// The reference computes the same formulas in f64: some ulp apart, gathered over 23 recursive steps.
constexpr double kRelative = 1e-13;

bool close(double a, double b) { return std::abs(a - b) <= kRelative * std::abs(b); }

/// Rates before each step.
std::vector<double> rates(Optimizer& optimizer, Scheduler& scheduler, std::size_t n) {
  std::vector<double> out;
  for (std::size_t i = 0; i < n; ++i) {
    out.push_back(optimizer.lr());
    scheduler.step();
  }
  return out;
}

void check_rates(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i, got[i], expected[i]);
    CHECK(close(got[i], expected[i]));
  }
}

}  // namespace

TEST_CASE("scheduler: StepLR follows PyTorch", "[scheduler]") {
  const GoldenCase golden("sched_step");
  Rate optimizer(golden.number("base_lr"));
  StepLR scheduler(optimizer, {golden.count("step_size"), golden.number("gamma")});
  const auto expected = golden.values("lr");
  check_rates(rates(optimizer, scheduler, expected.size()), expected);
}

TEST_CASE("scheduler: ExponentialLR follows PyTorch", "[scheduler]") {
  const GoldenCase golden("sched_exponential");
  Rate optimizer(golden.number("base_lr"));
  ExponentialLR scheduler(optimizer, {golden.number("gamma")});
  const auto expected = golden.values("lr");
  check_rates(rates(optimizer, scheduler, expected.size()), expected);
}

TEST_CASE("scheduler: LinearLR follows PyTorch past its last step", "[scheduler]") {
  const GoldenCase golden("sched_linear");
  Rate optimizer(golden.number("base_lr"));
  LinearLR scheduler(optimizer, {golden.number("start_factor"), golden.number("end_factor"), golden.count("total_iters")});
  const auto expected = golden.values("lr");
  check_rates(rates(optimizer, scheduler, expected.size()), expected);
}

TEST_CASE("scheduler: CosineAnnealingLR follows PyTorch past T_max", "[scheduler]") {
  const GoldenCase golden("sched_cosine");
  Rate optimizer(golden.number("base_lr"));
  CosineAnnealingLR cosine(optimizer, {golden.count("T_max"), golden.number("eta_min")});
  const auto expected = golden.values("lr");
  check_rates(rates(optimizer, cosine, expected.size()), expected);
}

TEST_CASE("scheduler: CosineAnnealingLR is the closed form for several periods", "[scheduler]") {
  const std::int64_t t_max = GENERATE(1, 2, 5);
  Rate optimizer(0.5);
  CosineAnnealingLR cosine(optimizer, {t_max, 0.1});
  for (int t = 0; t <= 6 * t_max; ++t) {
    const double turn = std::numbers::pi * t / static_cast<double>(t_max);
    CAPTURE(t_max, t);
    CHECK(std::abs(optimizer.lr() - (0.1 + 0.4 * (1 + std::cos(turn)) / 2)) <= 1e-13);
    cosine.step();
  }
}

TEST_CASE("scheduler: OneCycleLR follows PyTorch", "[scheduler]") {
  const GoldenCase golden("sched_onecycle");
  REQUIRE(golden.text("anneal_strategy") == "cos");
  Rate optimizer(golden.number("base_lr"));
  OneCycleLR cycle(optimizer, {golden.number("max_lr"), golden.count("total_steps"), golden.number("pct_start"), Anneal::cos,
                               golden.number("div_factor"), golden.number("final_div_factor")});
  const auto expected = golden.values("lr");
  check_rates(rates(optimizer, cycle, expected.size()), expected);
}

TEST_CASE("scheduler: OneCycleLR goes linearly if asked", "[scheduler]") {
  Rate optimizer(9);
  OneCycleLR cycle(
      optimizer,
      {.max_lr = 1, .total_steps = 10, .pct_start = 0.5, .anneal_strategy = Anneal::linear, .div_factor = 5, .final_div_factor = 2});
  // Up over steps 0..4 from 0.2 to 1, then down over steps 4..9 to 0.1.
  check_rates(rates(optimizer, cycle, 10), {0.2, 0.4, 0.6, 0.8, 1.0, 0.82, 0.64, 0.46, 0.28, 0.1});
}

TEST_CASE("scheduler: OneCycleLR has finite rates for the shortest trainings and shares", "[scheduler]") {
  const std::int64_t total = GENERATE(1, 2, 3, 10);
  const double share = GENERATE(0.0, 0.1, 0.3, 0.5, 1.0);
  Rate optimizer(1);
  OneCycleLR cycle(optimizer, {.max_lr = 0.1, .total_steps = total, .pct_start = share});
  CAPTURE(total, share);
  for (std::int64_t i = 0; i < total; ++i) {
    CHECK(optimizer.lr() <= 0.1);  // false for NaN
    cycle.step();
  }
  CHECK_THROWS_WITH(cycle.step(), Contains("total_steps = " + std::to_string(total)));
  CHECK_THROWS_WITH(cycle.step(), Contains("step " + std::to_string(total + 1)));  // the refused one was not counted
}

TEST_CASE("scheduler: ReduceLROnPlateau follows PyTorch", "[scheduler]") {
  const GoldenCase golden("sched_plateau");
  REQUIRE(golden.text("mode") == "min");
  REQUIRE(golden.text("threshold_mode") == "rel");
  Rate optimizer(golden.number("base_lr"));
  ReduceLROnPlateau plateau(optimizer, {Mode::min, golden.number("factor"), golden.count("patience"), golden.number("threshold"),
                                        ThresholdMode::rel, golden.count("cooldown"), golden.number("min_lr"), golden.number("eps")});
  std::vector<double> got;
  for (const double value : golden.values("metric")) {
    plateau.step(value);
    got.push_back(optimizer.lr());
  }
  check_rates(got, golden.values("lr_after"));
}

TEST_CASE("scheduler: ReduceLROnPlateau knows what better means", "[scheduler]") {
  struct Case {
    Mode mode;
    ThresholdMode threshold_mode;
    double first, just_not, just;
  };
  // threshold 0.5: relative to 8 the border is 4 or 12, absolute 7.5 or 8.5
  const Case c = GENERATE(Case{Mode::min, ThresholdMode::rel, 8, 4, 3.9}, Case{Mode::min, ThresholdMode::abs, 8, 7.5, 7.4},
                          Case{Mode::max, ThresholdMode::rel, 8, 12, 12.1}, Case{Mode::max, ThresholdMode::abs, 8, 8.5, 8.6});
  Rate optimizer(1);
  ReduceLROnPlateau plateau(optimizer,
                            {.mode = c.mode, .factor = 0.5, .patience = 0, .threshold = 0.5, .threshold_mode = c.threshold_mode});
  CHECK(plateau.metric() == (c.mode == Mode::min ? Metric::smaller_is_better : Metric::larger_is_better));
  plateau.step(c.first);
  CHECK(optimizer.lr() == 1);
  plateau.step(c.just);
  CHECK(optimizer.lr() == 1);
  Rate second(1);
  ReduceLROnPlateau other(second, {.mode = c.mode, .factor = 0.5, .patience = 0, .threshold = 0.5, .threshold_mode = c.threshold_mode});
  other.step(c.first);
  other.step(c.just_not);
  CHECK(second.lr() == 0.5);
}

TEST_CASE("scheduler: ReduceLROnPlateau counts NaN as no better and stops at min_lr", "[scheduler]") {
  Rate optimizer(1);
  ReduceLROnPlateau plateau(optimizer, {.factor = 0.1, .patience = 1, .min_lr = 0.05});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> got;
  for (int i = 0; i < 6; ++i) {
    plateau.step(nan);
    got.push_back(optimizer.lr());
  }
  check_rates(got, {1, 0.1, 0.1, 0.05, 0.05, 0.05});
}

TEST_CASE("scheduler: a loaded state goes on with the same rates", "[scheduler]") {
  using Make = std::function<std::unique_ptr<Scheduler>(Optimizer&)>;
  const std::vector<Make> makers{
      [](Optimizer& o) {
        return std::make_unique<StepLR>(o, StepLROptions{3, 0.7});
      },
      [](Optimizer& o) { return std::make_unique<ExponentialLR>(o, ExponentialLROptions{0.7}); },
      [](Optimizer& o) { return std::make_unique<LinearLR>(o, LinearLROptions{.total_iters = 6}); },
      [](Optimizer& o) {
        return std::make_unique<CosineAnnealingLR>(o, CosineAnnealingOptions{4, 0.01});
      },
      [](Optimizer& o) { return std::make_unique<OneCycleLR>(o, OneCycleOptions{.max_lr = 0.3, .total_steps = 12}); },
      [](Optimizer& o) { return std::make_unique<ReduceLROnPlateau>(o, ReduceLROnPlateauOptions{.patience = 1, .cooldown = 2}); }};
  REQUIRE(makers.size() == 6);
  const Make make = makers[GENERATE(range(std::size_t{0}, std::size_t{6}))];
  const int at = GENERATE(0, 3, 7);
  const auto metric = [](int i) { return i < 2 ? 3.0 - i : 2.0; };
  Rate whole({0.2, 0.05}), part({0.2, 0.05}), after({0.9, 0.1});
  const auto a = make(whole), b = make(part);
  for (int i = 0; i < at; ++i) {
    a->step(a->metric() == Metric::none ? 0 : metric(i));
    b->step(metric(i));  // ignored by those that need none
  }
  const auto c = make(after);
  after.set_lrs(part.lrs());
  c->load_state(b->state());
  for (int i = at; i < 12; ++i) {
    a->step(metric(i));
    c->step(metric(i));
    CHECK(whole.lrs() == after.lrs());
  }
  CHECK(a->state() == c->state());
}

TEST_CASE("scheduler: they say when to step", "[scheduler]") {
  Rate optimizer(0.1);
  CHECK(OneCycleLR(optimizer, {.max_lr = 1, .total_steps = 5}).interval() == Interval::batch);
  CHECK(CosineAnnealingLR(optimizer, {5, 0}).interval() == Interval::epoch);
  CHECK(ReduceLROnPlateau(optimizer).interval() == Interval::epoch);
  CHECK_THROWS_WITH(ReduceLROnPlateau(optimizer).step(), Contains("step(metric)"));
}

TEST_CASE("scheduler: arguments and states are checked", "[scheduler]") {
  Rate o(0.1);
  using P = ReduceLROnPlateauOptions;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(StepLR(o, {}), Contains("step_size is 0"));
  CHECK_THROWS_WITH(StepLR(o, {1, -0.5}), Contains("gamma is -0.5"));
  CHECK_THROWS_WITH(ExponentialLR(o, {}), Contains("gamma is 0"));
  CHECK_THROWS_WITH(ExponentialLR(o, {nan}), Contains("gamma"));
  CHECK_THROWS_WITH(LinearLR(o, {.start_factor = 0}), Contains("start_factor is 0"));
  CHECK_THROWS_WITH(LinearLR(o, {.start_factor = 1.5}), Contains("start_factor is 1.5"));
  CHECK_THROWS_WITH(LinearLR(o, {.end_factor = -1}), Contains("end_factor is -1"));
  CHECK_THROWS_WITH(LinearLR(o, {.end_factor = nan}), Contains("end_factor"));
  CHECK_THROWS_WITH(LinearLR(o, {.total_iters = 0}), Contains("total_iters is 0"));
  CHECK(o.lr() == 0.1);  // a refused LinearLR leaves it
  CHECK_THROWS_WITH(CosineAnnealingLR(o, {0, 0}), Contains("T_max"));
  CHECK_THROWS_WITH(CosineAnnealingLR(o, {5, -1}), Contains("eta_min"));
  CHECK_THROWS_WITH(OneCycleLR(o, {.max_lr = 0, .total_steps = 5}), Contains("max_lr"));
  CHECK_THROWS_WITH(OneCycleLR(o, {.max_lr = 1}), Contains("total_steps"));
  CHECK_THROWS_WITH(OneCycleLR(o, {.max_lr = 1, .total_steps = 5, .pct_start = 1.5}), Contains("pct_start"));
  CHECK_THROWS_WITH(OneCycleLR(o, {.max_lr = 1, .total_steps = 5, .div_factor = 0}), Contains("div_factor"));
  CHECK_THROWS_WITH(ReduceLROnPlateau(o, P{.factor = 1}), Contains("factor is 1"));
  CHECK_THROWS_WITH(ReduceLROnPlateau(o, P{.patience = -1}), Contains("patience"));
  ReduceLROnPlateau plateau(o);
  CHECK_THROWS_WITH(plateau.load_state({{"best", 1}, {"num_bad_epochs", 0}}), Contains("lacks 'cooldown_counter'"));
  CHECK_THROWS_WITH(plateau.load_state({{"best", 1}, {"num_bad_epochs", 0}, {"cooldown_counter", 0}, {"x", 0}}), Contains("'x'"));
  CHECK_THROWS_WITH(plateau.load_state({{"best", 1}, {"num_bad_epochs", 0.5}, {"cooldown_counter", 0}}),
                    Contains("'num_bad_epochs' is 0.5"));
  CosineAnnealingLR cosine(o, {5, 0});
  CHECK_THROWS_WITH(cosine.load_state(plateau.state()), Contains("CosineAnnealingLR") && Contains("base_lr"));
  CHECK_THROWS_WITH(cosine.load_state({{"last_epoch", 1}, {"base_lr.0", -1}}), Contains("'base_lr.0' is -1"));
  CHECK_THROWS_WITH(cosine.load_state({{"last_epoch", -1}, {"base_lr.0", 1}}), Contains("'last_epoch' is -1"));
  CHECK_THROWS_WITH(cosine.load_state({{"last_epoch", 1}, {"base_lr.0", 1}, {"base_lr.1", 1}}), Contains("'base_lr.1'"));
  CHECK(cosine.state() == SchedulerState{{"last_epoch", 0}, {"base_lr.0", 0.1}});
  OneCycleLR cycle(o, {.max_lr = 1, .total_steps = 5});
  CHECK_THROWS_WITH(cycle.load_state({{"last_epoch", 6}, {"base_lr.0", 1}}), Contains("step 6 of total_steps = 5"));
}
