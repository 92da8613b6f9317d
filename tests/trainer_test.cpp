#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/base/threads.hpp"
#include "core/ops/index.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "nn/checkpoint.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"
#include "nn/optim/adam.hpp"
#include "nn/optim/one_cycle.hpp"
#include "nn/optim/plateau.hpp"
#include "nn/trainer.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::nn;
using Catch::Matchers::Contains;

namespace {

/// logits = x + w, with w [3] that training moves and a buffer that tests move: predictions are what the data says.
class Shift final : public Module {
 public:
  Shift() : w_(param("w", zeros({3}))), seen_(buffer("seen", zeros({1}))) {}
  Tensor forward(const Tensor& x) const override { return x + w_; }
  std::string describe() const override { return "Shift"; }
  std::vector<float> w() const { return w_.to_vector<float>(); }
  Tensor seen() const { return seen_; }

 private:
  Tensor w_, seen_;
};

/// Ten samples of class 0 whose logits put `right` of them into class 0 and the others into class 1.
Batch scripted_batch(Index right, float logit) {
  std::vector<float> x;
  for (Index i = 0; i < 10; ++i) {
    x.insert(x.end(), {i < right ? logit : 0.0f, i < right ? 0.0f : logit, 0.0f});
  }
  return {from_values(x, {10, 3}), zeros({10}, DType::i64)};
}

struct Outcome {
  Index right;  // of ten
  float logit = 50;
};

/// A validation whose outcome is written down for each epoch.
struct Script {
  std::vector<Outcome> outcomes;
  mutable std::size_t asked = 0;
  Index batches() const { return 1; }
  Index samples() const { return 10; }
  Batch batch(Index, Index) const {
    const Outcome o = outcomes.at(asked++);
    return scripted_batch(o.right, o.logit);
  }
};

/// The same batch of the training, a number of times; one of them may be spoilt.
struct Steady {
  Index count = 2;
  Index bad_epoch = -1, bad_step = -1;
  Index batches() const { return count; }
  Index samples() const { return 10 * count; }
  Batch batch(Index epoch, Index i) const {
    Batch b = scripted_batch(5, 1);
    if (epoch == bad_epoch && i == bad_step) {
      b.x.fill_(std::numeric_limits<double>::quiet_NaN());
    }
    return b;
  }
};

/// Three noisy classes in four dimensions, shuffled anew each epoch.
struct Clouds {
  Tensor x, y;
  Index batch_size;
  std::uint64_t seed;
  Clouds(Index n, Index batch, std::uint64_t from) : batch_size(batch), seed(from) {
    Generator noise(seed, 1);
    std::vector<float> values = randn({n, 4}, DType::f32, noise).to_vector<float>();
    std::vector<std::int64_t> labels;
    for (Index i = 0; i < n; ++i) {
      labels.push_back(i % 3);
      values[static_cast<std::size_t>(4 * i + i % 3)] += 1.5f;
    }
    x = from_values(values, {n, 4});
    y = from_values(labels, {n});
  }
  Index batches() const { return (samples() + batch_size - 1) / batch_size; }
  Index samples() const { return x.size(0); }
  Batch batch(Index epoch, Index i) const {
    Generator order(seed, 100 + static_cast<std::uint64_t>(epoch));
    const std::vector<Index> all = permutation(samples(), order);
    const auto begin = all.begin() + i * batch_size;
    const auto end = all.begin() + std::min((i + 1) * batch_size, samples());
    const Tensor rows = from_values(std::vector<std::int64_t>(begin, end), {end - begin});
    return {index_select(x, 0, rows), index_select(y, 0, rows)};
  }
};

TrainOptions quick(Index epochs, Index patience = 0) {
  TrainOptions o;
  o.epochs = epochs;
  o.patience = patience;
  return o;
}

struct Fit {
  TrainResult result;
  std::vector<std::vector<float>> w;  // after each epoch
  std::vector<float> at_end, seen_at_end;
};

/// Trains Shift against a script; the buffer holds the number of the epoch under way.
Fit fit_script(const Script& script, TrainOptions options) {
  Shift model;
  optim::Adam adam(model.trainable_parameters(), {.lr = 0.01});
  Trainer trainer(model, adam, nullptr, options);
  Fit fit;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const StepRecord& r) { model.seen().fill_(static_cast<double>(r.epoch)); };
  callbacks.on_epoch = [&](const EpochRecord&) { fit.w.push_back(model.w()); };
  fit.result = trainer.fit(Steady{}, script, callbacks);
  fit.at_end = model.w();
  fit.seen_at_end = model.seen().to_vector<float>();
  return fit;
}

}  // namespace

TEST_CASE("trainer: early stopping counts epochs without a better validation", "[trainer]") {
  const Fit fit = fit_script({{{3}, {6}, {5}, {6}, {7}, {6}, {4}, {7, 60}, {9}}}, quick(9, 3));
  CHECK(fit.result.history.size() == 8);  // the best is epoch 5; 6 and 7 are worse, 8 costs more
  CHECK(fit.result.best_epoch == 5);
  CHECK(fit.result.best_accuracy == 70.0);
  CHECK(fit.result.stopped_early);
  CHECK_FALSE(fit.result.interrupted);
  CHECK(fit.result.history[4].val_accuracy == 70.0);
}

TEST_CASE("trainer: without patience all epochs are trained, and patience at the last epoch is no early stop", "[trainer]") {
  const Fit endless = fit_script({{{5}, {4}, {4}, {4}}}, quick(4));
  CHECK(endless.result.history.size() == 4);
  CHECK_FALSE(endless.result.stopped_early);
  const Fit last = fit_script({{{5}, {4}, {4}, {4}}}, quick(4, 3));
  CHECK(last.result.history.size() == 4);
  CHECK_FALSE(last.result.stopped_early);
}

TEST_CASE("trainer: equal accuracies are told apart by the validation loss", "[trainer]") {
  // All wrong or right by more: with 7 of 10 right a larger logit makes the wrong ones cost more.
  const Fit fit = fit_script({{{7, 50}, {7, 40}, {7, 45}, {6, 1}}}, quick(4));
  CHECK(fit.result.best_epoch == 2);
  CHECK(fit.result.best_loss < fit.result.history[0].val_loss);
}

TEST_CASE("trainer: the best weights and buffers are put back unless not asked for", "[trainer]") {
  TrainOptions options = quick(4);
  const Script script{{{3}, {8}, {5}, {4}}};
  const Fit best = fit_script(script, options);
  REQUIRE(best.w[1] != best.w[3]);
  CHECK(best.at_end == best.w[1]);
  CHECK(best.seen_at_end == std::vector<float>{2});
  options.restore_best = false;
  const Fit last = fit_script(Script{script.outcomes}, options);
  CHECK(last.at_end == last.w[3]);
  CHECK(last.w == best.w);
}

TEST_CASE("trainer: records tell epoch, steps, mean loss and rate", "[trainer]") {
  Shift model;
  optim::Adam adam(model.trainable_parameters(), {.lr = 0.01});
  optim::OneCycleLR cycle(adam, {.max_lr = 0.1, .total_steps = 6});
  Trainer trainer(model, adam, &cycle, quick(2));
  std::vector<StepRecord> steps;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const StepRecord& r) { steps.push_back(r); };
  model.eval();
  const TrainResult result = trainer.fit(Steady{3}, Script{{{1}, {2}}}, callbacks);
  CHECK_FALSE(model.training());  // put back
  REQUIRE(steps.size() == 6);
  CHECK(steps[4].epoch == 2);
  CHECK(steps[4].epochs == 2);
  CHECK(steps[4].step == 2);
  CHECK(steps[4].steps == 3);
  CHECK(steps[4].samples == 10);
  CHECK(steps[4].samples_done == 20);
  CHECK(steps[2].mean_loss == (steps[0].loss * 10 + steps[1].loss * 10 + steps[2].loss * 10) / 30);
  CHECK(result.history[0].loss == steps[2].mean_loss);
  CHECK(result.history[0].lr == steps[2].lr);
  CHECK(std::abs(steps[0].lr - 0.1 / 25) <= 1e-15);  // some ulp from the cosine
  CHECK(result.history[1].epoch == 2);
  CHECK(result.history[1].loss < result.history[0].loss);
  CHECK(result.history[1].seconds > 0);
}

TEST_CASE("trainer: the plateau scheduler gets the loss or the accuracy by its mode", "[trainer]") {
  const auto rates = [](optim::Mode mode) {
    Shift model;
    optim::Adam adam(model.trainable_parameters(), {.lr = 0.01});
    optim::ReduceLROnPlateau plateau(adam, {.mode = mode, .factor = 0.5, .patience = 0});
    Trainer trainer(model, adam, &plateau, quick(3));
    std::vector<double> lr;
    // Accuracy rises, and so does the loss, as the wrong ones are wrong by more.
    for (const EpochRecord& r : trainer.fit(Steady{}, Script{{{6, 10}, {7, 20}, {8, 40}}}).history) {
      lr.push_back(r.lr);
    }
    return lr;
  };
  CHECK(rates(optim::Mode::max) == std::vector<double>{0.01, 0.01, 0.01});
  CHECK(rates(optim::Mode::min) == std::vector<double>{0.01, 0.01, 0.005});
}

TEST_CASE("trainer: a loss that is not finite is an error after the best weights are put back", "[trainer]") {
  Shift model;
  optim::Adam adam(model.trainable_parameters(), {.lr = 0.01});
  Trainer trainer(model, adam, nullptr, quick(4));
  std::vector<float> after_first;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& r) {
    if (r.epoch == 1) {
      after_first = model.w();
    }
  };
  const auto run = [&](const BatchSource& train) { trainer.fit(train, Script{{{5}, {4}, {4}, {4}}}, callbacks); };
  SECTION("in a later epoch") {
    CHECK_THROWS_WITH(run(Steady{4, 2, 1}), Contains("nan in epoch 3 at step 2") && Contains("learning rate 0.01") &&
                                                Contains("weights of epoch 1") && Contains("lower the learning rate"));
    CHECK(model.w() == after_first);
  }
  SECTION("in the first") {
    CHECK_THROWS_WITH(run(Steady{4, 0, 2}), Contains("epoch 1 at step 3") && Contains("from before the training"));
    CHECK(model.w() == std::vector<float>{0, 0, 0});
  }
  CHECK(model.training());
}

TEST_CASE("trainer: a validation loss that is not finite is an error", "[trainer]") {
  const float inf = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(fit_script({{{5}, {4, inf}}}, quick(2)), Contains("the validation loss became") && Contains("epoch 2"));
}

TEST_CASE("trainer: bad use is told", "[trainer]") {
  Shift model;
  optim::Adam adam(model.trainable_parameters());
  CHECK_THROWS_WITH(Trainer(model, adam, nullptr, quick(-1)), Contains("epochs is -1"));
  CHECK_THROWS_WITH(Trainer(model, adam, nullptr, quick(1, -1)), Contains("patience is -1"));
  Trainer trainer(model, adam, nullptr, quick(1));
  CHECK_THROWS_WITH(trainer.fit(Steady{0}, Steady{}), Contains("no batches to train on"));
  CHECK_THROWS_WITH(trainer.fit(Steady{}, Steady{0}), Contains("no batches to validate with"));
}

namespace {

/// A whole training set-up with every kind of state: dropout, AdamW, a scheduler, patience.
struct Setup {
  Sequential model;
  std::unique_ptr<optim::AdamW> adamw;
  std::unique_ptr<optim::Scheduler> scheduler;
  Clouds train{50, 8, 3}, validation{30, 16, 4};
  TrainOptions options = quick(6, 2);
  std::atomic<bool> stop{false};

  Setup(std::uint64_t seed, bool one_cycle) {
    manual_seed(seed);
    model.add<Linear>(4, 8);
    model.add<ReLU>();
    model.add<Dropout>(0.3);
    model.add<Linear>(8, 3);
    adamw = std::make_unique<optim::AdamW>(model.trainable_parameters(), optim::AdamWOptions{.lr = 0.02});
    const Index steps = options.epochs * train.batches();
    if (one_cycle) {
      scheduler = std::make_unique<optim::OneCycleLR>(*adamw, optim::OneCycleOptions{.max_lr = 0.05, .total_steps = steps});
    } else {
      scheduler = std::make_unique<optim::ReduceLROnPlateau>(*adamw, optim::ReduceLROnPlateauOptions{.factor = 0.5, .patience = 0});
    }
    options.stop = &stop;
  }
  Trainer trainer() { return Trainer(model, *adamw, scheduler.get(), options); }
};

struct Ending {
  std::vector<std::vector<float>> weights;
  TrainResult result;
  PhiloxState generator;
  Index steps = 0;
};

/// Runs until `stop_after` steps of this part are done (0: to the end), from a checkpoint if there is one, and leaves one if interrupted.
Ending run_part(bool one_cycle, const std::filesystem::path& file, Index stop_after) {
  Setup setup(std::filesystem::exists(file) ? 999 : 7, one_cycle);  // resumed parts start from other weights and random numbers
  Trainer trainer = setup.trainer();
  if (std::filesystem::exists(file)) {
    trainer.resume(load_checkpoint(file));
  }
  Ending ending;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const StepRecord&) { setup.stop = ++ending.steps == stop_after; };
  ending.result = trainer.fit(setup.train, setup.validation, callbacks);
  if (ending.result.interrupted) {
    save_checkpoint(file, trainer.state());
  }
  for (const Tensor& p : setup.model.parameters()) {
    ending.weights.push_back(p.to_vector<float>());
  }
  ending.generator = default_generator().state();
  return ending;
}

void check_same(const Ending& a, const Ending& b) {
  CHECK(a.weights == b.weights);
  CHECK(a.generator == b.generator);
  CHECK(a.result.best_epoch == b.result.best_epoch);
  CHECK(a.result.best_accuracy == b.result.best_accuracy);
  CHECK(a.result.best_loss == b.result.best_loss);
  CHECK(a.result.stopped_early == b.result.stopped_early);
  REQUIRE(a.result.history.size() == b.result.history.size());
  for (std::size_t i = 0; i < a.result.history.size(); ++i) {
    const EpochRecord &x = a.result.history[i], &y = b.result.history[i];
    CHECK(x.epoch == y.epoch);
    CHECK(x.loss == y.loss);
    CHECK(x.lr == y.lr);
    CHECK(x.val_accuracy == y.val_accuracy);
    CHECK(x.val_loss == y.val_loss);
  }
}

/// A file that is not there yet, in a folder of its own.
struct TemporaryFile {
  test::TempFolder folder;
  std::filesystem::path path;
  explicit TemporaryFile(const std::string& name) : path(folder / name) {}
};

}  // namespace

TEST_CASE("trainer: an interrupted and resumed training ends with the bits of an uninterrupted one", "[trainer]") {
  const bool one_cycle = GENERATE(true, false);
  const TemporaryFile file("lora_trainer_resume.safetensors");
  const Ending whole = run_part(one_cycle, file.path, 0);
  REQUIRE_FALSE(whole.result.interrupted);
  REQUIRE(whole.steps >= 21);  // three epochs of seven steps
  SECTION("interrupted once") {
    const Index at = GENERATE(1, 4, 7, 8, 14, 20);  // 7 and 14 are last steps of epochs, before their validation
    const Ending first = run_part(one_cycle, file.path, at);
    CHECK(first.result.interrupted);
    CHECK_FALSE(first.result.stopped_early);
    CHECK(static_cast<Index>(first.result.history.size()) == (at - 1) / 7);
    const Ending second = run_part(one_cycle, file.path, 0);
    CHECK(first.steps + second.steps == whole.steps);
    check_same(second, whole);
  }
  SECTION("interrupted every three steps") {
    Ending last = run_part(one_cycle, file.path, 3);
    while (last.result.interrupted) {
      last = run_part(one_cycle, file.path, 3);
    }
    check_same(last, whole);
  }
}

TEST_CASE("trainer: a second fit goes on with an interrupted one in the same program", "[trainer]") {
  const TemporaryFile none("lora_trainer_none.safetensors");
  const Ending whole = run_part(true, none.path, 0);
  Setup setup(7, true);
  Trainer trainer = setup.trainer();
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const StepRecord& r) { setup.stop = r.epoch == 2 && r.step == 3; };
  CHECK(trainer.fit(setup.train, setup.validation, callbacks).interrupted);
  setup.stop = false;
  Ending ending{{}, trainer.fit(setup.train, setup.validation), default_generator().state()};
  for (const Tensor& p : setup.model.parameters()) {
    ending.weights.push_back(p.to_vector<float>());
  }
  check_same(ending, whole);
}

TEST_CASE("trainer: a checkpoint made at the end of an epoch, and one of a finished training, can be resumed", "[trainer]") {
  const TemporaryFile none("lora_trainer_none.safetensors");
  const Ending whole = run_part(true, none.path, 0);
  Setup first(7, true);
  Trainer trainer = first.trainer();
  TrainState at_epoch;
  TrainCallbacks callbacks;
  callbacks.on_epoch = [&](const EpochRecord& r) {
    if (r.epoch == 2) {
      at_epoch = trainer.state();
    }
  };
  trainer.fit(first.train, first.validation, callbacks);
  const TrainState at_end = trainer.state();
  const bool finished = GENERATE(false, true);
  Setup second(8, true);
  Trainer again = second.trainer();
  again.resume(finished ? at_end : at_epoch);
  Ending ending{{}, again.fit(second.train, second.validation), default_generator().state()};
  for (const Tensor& p : second.model.parameters()) {
    ending.weights.push_back(p.to_vector<float>());
  }
  check_same(ending, whole);
}

TEST_CASE("trainer: a checkpoint that does not fit is refused", "[trainer]") {
  Setup setup(7, true);
  Trainer trainer = setup.trainer();
  const TrainState good = trainer.state();
  const auto refused = [&](const TrainState& state, const std::string& text) {
    const std::vector<float> before = setup.model.parameters()[0].to_vector<float>();
    CHECK_THROWS_WITH(trainer.resume(state), Contains(text));
    CHECK(setup.model.parameters()[0].to_vector<float>() == before);
  };
  TrainState bad = good;
  bad.now.trained[0] = zeros({2});
  refused(bad, "trained tensor 0 is f32[2]@cpu");
  bad = good;
  bad.best.trained.pop_back();
  refused(bad, "saved are 3 trained tensors, the model has 4");
  bad = good;
  bad.scheduler.clear();
  refused(bad, "without a scheduler");
  bad = good;
  bad.optimizer.clear();
  refused(bad, "lacks 'lr'");
  bad = good;
  bad.progress.finished = true;
  bad.progress.epoch = bad.progress.best_epoch = 3;
  refused(bad, "finished after 3 epochs");
  bad = good;
  bad.progress.step = 8;
  trainer.resume(bad);
  CHECK_THROWS_WITH(trainer.fit(setup.train, setup.validation), Contains("step 8") && Contains("7 batches"));
}

TEST_CASE("trainer: training and evaluation give the same bits for any number of threads", "[trainer]") {
  const TemporaryFile none("lora_trainer_none.safetensors");
  const int before = num_threads();
  set_num_threads(1);
  const Ending one = run_part(true, none.path, 0);
  set_num_threads(3);
  const Ending three = run_part(true, none.path, 0);
  set_num_threads(before);
  check_same(one, three);
}
