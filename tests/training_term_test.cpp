#include <atomic>
#include <catch2/catch.hpp>
#include <limits>
#include <vector>

#include "core/autograd.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "nn/checkpoint.hpp"
#include "nn/optim/adam.hpp"
#include "nn/trainer.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::nn;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

/// logits = x + w.
class Shift final : public Module {
 public:
  Shift() : w_(param("w", zeros({3}))) {}
  Tensor forward(const Tensor& x) const override { return x + w_; }
  std::string describe() const override { return "Shift"; }
  Tensor w() const { return w_; }

 private:
  Tensor w_;
};

/// Batches that are all the same: class 0, but the logits say class 1.
struct Same {
  Index count = 3;
  Index bad_epoch = -1;
  Index batches() const { return count; }
  Index samples() const { return 2 * count; }
  Batch batch(Index epoch, Index) const {
    Tensor x = from_values(std::vector<float>{0, 1, 0, 0, 1, 0}, {2, 3});
    if (epoch == bad_epoch) {
      x.fill_(std::numeric_limits<double>::quiet_NaN());
    }
    return {x, zeros({2}, DType::i64)};
  }
};

/// Pulls w to 1 with a strength that grows with the steps, remembers the gradients it saw, and is settled after some steps.
class Pull final : public TrainingTerm {
 public:
  explicit Pull(const Shift& model, Index settled_after = 0) : model_(model), settled_after_(settled_after) {}
  Tensor loss() const override { return steps() == 0 ? Tensor() : sum(square(model_.w() - 1.0)) * (0.1 * static_cast<double>(steps())); }
  void after_step() override {
    seen_gradient = model_.w().grad().defined();
    seen_w = model_.w().to_vector<float>();
    steps_.fill_(static_cast<double>(steps() + 1));
  }
  bool settled() const override { return steps() >= settled_after_; }
  NamedTensors state() const override { return {{"steps", steps_}}; }
  void load_state(const NamedTensors& state) override {
    require(state.size() == 1 && state[0].first == "steps", "Pull", "the state is of another term");
    steps_.copy_(state[0].second);
  }
  Index steps() const { return steps_.item<Index>(); }

  bool seen_gradient = false;
  std::vector<float> seen_w;

 private:
  const Shift& model_;
  Index settled_after_;
  Tensor steps_ = zeros({1}, DType::i64);
};

/// A training of Shift with a term.
struct Setup {
  Shift model;
  Pull term;
  optim::Adam adam{model.trainable_parameters(), {.lr = 0.05}};
  std::atomic<bool> stop{false};
  TrainOptions options;

  explicit Setup(Index epochs, Index settled_after = 0) : term(model, settled_after) {
    options.epochs = epochs;
    options.classes = 3;
    options.stop = &stop;
    options.terms = {&term};
  }
  Trainer trainer() { return Trainer(model, adam, nullptr, options); }
};

/// Predictions that get worse from epoch to epoch.
struct Worse {
  mutable Index asked = 0;
  Index batches() const { return 1; }
  Index samples() const { return 2; }
  Batch batch(Index, Index) const {
    const auto logit = static_cast<float>(-10 * ++asked);
    return {from_values(std::vector<float>{logit, 0, 0, logit, 0, 0}, {2, 3}), zeros({2}, DType::i64)};
  }
};

}  // namespace

TEST_CASE("trainer: a term is minimised with the loss but not reported", "[trainer]") {
  Setup with(1), without(1);
  without.options.terms.clear();
  std::vector<double> losses;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const StepRecord& r) { losses.push_back(r.loss); };
  with.options.restore_best = without.options.restore_best = false;
  with.trainer().fit(Same{}, Same{}, callbacks);
  without.trainer().fit(Same{}, Same{}, callbacks);
  REQUIRE(losses.size() == 6);
  CHECK(losses[0] == losses[3]);
  CHECK(losses[1] == losses[4]);  // undefined in the first step: nothing is added
  CHECK(losses[2] != losses[5]);
  CHECK_FALSE(same_bits(with.model.w().detach(), without.model.w().detach()));
  CHECK(without.term.steps() == 0);
  CHECK(with.term.steps() == 3);
}

TEST_CASE("trainer: terms work after the optimizer's step, while the gradients are there", "[trainer]") {
  Setup setup(1);
  Trainer trainer = setup.trainer();
  Index step = 0;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const StepRecord&) {
    CHECK(setup.term.steps() == ++step);
    CHECK(setup.term.seen_gradient);
    CHECK(setup.term.seen_w == setup.model.w().to_vector<float>());
  };
  trainer.fit(Same{}, Same{}, callbacks);
  CHECK(step == 3);
}

TEST_CASE("trainer: a training with terms resumes to the same bits", "[trainer][determinism]") {
  Setup whole(2);
  const TrainResult result = whole.trainer().fit(Same{}, Same{});
  for (const Index stop_after : {1, 3, 5}) {
    const TempFolder folder;
    Setup first(2);
    Trainer before = first.trainer();
    TrainCallbacks callbacks;
    callbacks.on_step = [&](const StepRecord&) { first.stop = first.term.steps() == stop_after; };
    REQUIRE(before.fit(Same{}, Same{}, callbacks).interrupted);
    save_checkpoint(folder / "checkpoint", before.state());
    Setup second(2);
    Trainer after = second.trainer();
    after.resume(load_checkpoint(folder / "checkpoint"));
    CHECK(second.term.steps() == stop_after);
    CHECK(after.fit(Same{}, Same{}).best_loss == result.best_loss);
    CHECK(same_bits(second.model.w().detach(), whole.model.w().detach()));
    CHECK(second.term.steps() == whole.term.steps());
  }
}

TEST_CASE("trainer: until terms are settled no epoch is better than a later one, and patience waits", "[trainer]") {
  struct Row {
    Index settled_after, best, epochs;  // three steps an epoch, patience 2
  };
  for (const Row& row : {Row{0, 1, 3}, Row{3, 1, 3}, Row{4, 2, 4}, Row{9, 3, 5}, Row{100, 6, 6}}) {
    INFO("settled after " << row.settled_after << " steps");
    Setup setup(6, row.settled_after);
    setup.options.patience = 2;
    std::vector<std::vector<float>> w;
    TrainCallbacks callbacks;
    callbacks.on_epoch = [&](const EpochRecord&) { w.push_back(setup.model.w().to_vector<float>()); };
    const TrainResult result = setup.trainer().fit(Same{}, Worse{}, callbacks);
    CHECK(result.best_epoch == row.best);
    CHECK(static_cast<Index>(result.history.size()) == row.epochs);
    CHECK(result.best_loss == result.history[static_cast<std::size_t>(row.best - 1)].val_loss);
    CHECK(setup.model.w().to_vector<float>() == w[static_cast<std::size_t>(row.best - 1)]);
    CHECK(setup.term.steps() == 3 * row.best);  // put back with the weights
  }
}

TEST_CASE("trainer: where a training diverges, terms are put back with the weights", "[trainer]") {
  Setup setup(3);
  CHECK_THAT(error_of([&] { setup.trainer().fit(Same{3, 1}, Same{3}); }), Contains("in epoch 2"));
  CHECK(setup.term.steps() == 3);
}

TEST_CASE("trainer: states of other terms are refused", "[trainer]") {
  Setup one(1), none(1), two(1);
  none.options.terms.clear();
  Pull more(two.model);
  two.options.terms.push_back(&more);
  const TrainState with = one.trainer().state(), without = none.trainer().state();
  CHECK_THAT(error_of([&] { none.trainer().resume(with); }), Contains("'0.steps'") && Contains("same terms"));
  CHECK_THAT(error_of([&] { one.trainer().resume(without); }), Contains("another term"));
  CHECK_THAT(error_of([&] { two.trainer().resume(with); }), Contains("another term"));
  TrainingTerm nothing;
  CHECK_THAT(error_of([&] { nothing.load_state({{"x", zeros({1})}}); }), Contains("keeps none"));
}
