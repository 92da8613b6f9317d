#include "nn/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>

#include "core/ops/convert.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/pointwise.hpp"
#include "nn/clip_grad.hpp"
#include "nn/running_statistics.hpp"
#include "nn/training_mode.hpp"

namespace lora::nn {

namespace {

/// Adds the time of its life to a sum.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds), start_(Clock::now()) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point start_;
};

NamedTensors copy_of(const NamedTensors& state) {
  NamedTensors copy;
  for (const auto& entry : state) {
    copy.emplace_back(entry.first, clone(entry.second.detach()));
  }
  return copy;
}

}  // namespace

Trainer::Trainer(Module& model, optim::Optimizer& optimizer, optim::Scheduler* scheduler, const TrainOptions& options)
    : model_(model), optimizer_(optimizer), scheduler_(scheduler), options_(options) {
  require(options.epochs >= 0, "trainer", "epochs is ", options.epochs, "; it must be 0 or more");
  require(options.patience >= 0, "trainer", "patience is ", options.patience, "; it must be 0 (no early stopping) or more");
  require(options.clip_grad_norm >= 0, "trainer", "clip_grad_norm is ", options.clip_grad_norm, "; it must be 0 (no clipping) or more");
}

bool Trainer::out_of_patience(const TrainProgress& p) const { return options_.patience > 0 && p.epoch - p.best_epoch >= options_.patience; }

bool Trainer::over() const { return progress_.finished || progress_.epoch >= options_.epochs || out_of_patience(progress_); }

TrainResult Trainer::fit(const BatchSource& train, const BatchSource& validation, const TrainCallbacks& callbacks) {
  require(train.batches() > 0, "trainer", "there are no batches to train on; give it more samples or a smaller batch size");
  require(validation.batches() > 0, "trainer", "there are no batches to validate with; give it a part of the samples");
  require(progress_.step <= train.batches(), "trainer", "the checkpoint is at step ", progress_.step, " of an epoch, but the data has ",
          train.batches(), " batches; use the data and batch size of the interrupted training");
  if (best_.empty()) {
    best_ = take_snapshot(model_);
    best_terms_ = state_of(options_.terms);
  }
  const TrainingMode mode(model_, true);
  hold_frozen_statistics(model_);
  if (!run_epochs(train, validation, callbacks)) {
    return result(true);
  }
  optimizer_.zero_grad();
  if (options_.restore_best && !progress_.finished) {
    restore_best();
  }
  progress_.finished = true;
  return result(false);
}

/// False if interrupted.
bool Trainer::run_epochs(const BatchSource& train, const BatchSource& validation, const TrainCallbacks& callbacks) {
  while (!over()) {
    if (!train_epoch(train, callbacks)) {
      return false;
    }
    end_epoch(validation, callbacks);
    if (stop_asked() && !over()) {
      return false;
    }
  }
  return true;
}

/// False if interrupted.
bool Trainer::train_epoch(const BatchSource& train, const TrainCallbacks& callbacks) {
  TrainProgress& p = progress_;
  const Stopwatch watch(p.seconds);
  const Index steps = train.batches();
  const Device device = model_.device();
  while (p.step < steps) {
    const Batch batch = to(train.batch(p.epoch, p.step), device);
    const Index n = batch.y.size(0);
    const double loss = train_step(batch);
    p.loss_sum += loss * static_cast<double>(n);
    p.samples += n;
    ++p.step;
    if (callbacks.on_step) {
      const double mean = p.loss_sum / static_cast<double>(p.samples);
      callbacks.on_step({p.epoch + 1, options_.epochs, p.step, steps, n, p.samples, loss, mean, p.lr});
    }
    if (stop_asked()) {
      return false;
    }
  }
  return true;
}

double Trainer::train_step(const Batch& batch) {
  optimizer_.zero_grad();
  RunningStatistics statistics;
  const Tensor loss = options_.loss ? options_.loss(model_, batch) : cross_entropy(model_(batch.x), batch.y);
  const auto value = loss.item<double>();
  if (!std::isfinite(value)) {
    diverged("the loss", value);
  }
  const Tensor total = with_terms(loss);
  statistics.apply();
  total.backward();
  if (options_.clip_grad_norm > 0) {
    clip_grad_norm_(optimizer_.parameters(), options_.clip_grad_norm);
  }
  progress_.lr = optimizer_.lr();
  optimizer_.step();
  for (TrainingTerm* term : options_.terms) {
    term->after_step();
  }
  if (scheduler_ != nullptr && scheduler_->interval() == optim::Interval::batch) {
    scheduler_->step();
  }
  return value;
}

Tensor Trainer::with_terms(const Tensor& loss) const {
  Tensor total = loss;
  for (const TrainingTerm* term : options_.terms) {
    const Tensor more = term->loss();
    total = more.defined() ? total + more : total;
  }
  return total;
}

bool Trainer::settled() const {
  return std::all_of(options_.terms.begin(), options_.terms.end(), [](const TrainingTerm* term) { return term->settled(); });
}

void Trainer::end_epoch(const BatchSource& validation, const TrainCallbacks& callbacks) {
  TrainProgress& p = progress_;
  EpochRecord record{p.epoch + 1, p.loss_sum / static_cast<double>(p.samples), p.lr, 0, 0, 0};
  {
    const Stopwatch watch(p.seconds);
    const Evaluation seen = evaluate(model_, validation, options_.classes);
    require(seen.samples > 0, "trainer", "the validation batches are empty; give it a part of the samples");
    record.val_accuracy = seen.accuracy;
    record.val_loss = seen.loss;
  }
  if (!std::isfinite(record.val_loss)) {
    diverged("the validation loss", record.val_loss);
  }
  record.seconds = p.seconds;
  keep_if_best(record);
  step_scheduler(record);
  p.history.push_back(record);
  ++p.epoch;
  p.step = p.samples = 0;
  p.loss_sum = p.seconds = 0;
  if (callbacks.on_epoch) {
    callbacks.on_epoch(record);
  }
}

void Trainer::keep_if_best(const EpochRecord& record) {
  TrainProgress& p = progress_;
  if (!settled()) {
    keep_best(record);  // but best_accuracy and best_loss stay those of no epoch, so that any settled one is better
    return;
  }
  const bool tie = record.val_accuracy == p.best_accuracy;
  if (record.val_accuracy > p.best_accuracy || (tie && record.val_loss < p.best_loss)) {
    keep_best(record);
    p.best_accuracy = record.val_accuracy;
    p.best_loss = record.val_loss;
  }
}

void Trainer::keep_best(const EpochRecord& record) {
  best_ = take_snapshot(model_);
  best_terms_ = state_of(options_.terms);
  progress_.best_epoch = record.epoch;
}

void Trainer::restore_best() {
  restore_snapshot(model_, best_, "trainer");
  load_state(options_.terms, best_terms_);
}

void Trainer::step_scheduler(const EpochRecord& record) {
  if (scheduler_ == nullptr || scheduler_->interval() != optim::Interval::epoch) {
    return;
  }
  switch (scheduler_->metric()) {
    case optim::Metric::none: scheduler_->step(); break;
    case optim::Metric::smaller_is_better: scheduler_->step(record.val_loss); break;
    case optim::Metric::larger_is_better: scheduler_->step(record.val_accuracy); break;
  }
}

void Trainer::diverged(const char* what, double value) {
  const Index epoch = progress_.epoch + 1, step = progress_.step + 1;
  const std::string kept =
      progress_.best_epoch > 0 ? "of epoch " + std::to_string(progress_.best_epoch) : std::string("from before the training");
  restore_best();
  optimizer_.zero_grad();
  fail("trainer", what, " became ", value, " in epoch ", epoch, " at step ", step, " with learning rate ", optimizer_.lr(),
       "; the weights ", kept, " were put back: lower the learning rate");
}

TrainResult Trainer::result(bool interrupted) const {
  const TrainProgress& p = progress_;
  TrainResult r;
  r.history = p.history;
  r.best_epoch = p.best_epoch;
  if (p.best_epoch > 0) {
    const EpochRecord& best = p.history.at(static_cast<std::size_t>(p.best_epoch - 1));
    r.best_accuracy = best.val_accuracy;
    r.best_loss = best.val_loss;
  }
  r.stopped_early = !interrupted && p.epoch < options_.epochs;
  r.interrupted = interrupted;
  return r;
}

TrainState Trainer::state() const {
  TrainState s;
  s.progress = progress_;
  s.now = take_snapshot(model_);
  s.best = best_.empty() ? s.now : best_;  // best_ is replaced, never changed
  s.optimizer = copy_of(optimizer_.state());
  s.terms = state_of(options_.terms);
  s.best_terms = best_.empty() ? s.terms : best_terms_;
  s.scheduler = scheduler_ == nullptr ? optim::SchedulerState{} : scheduler_->state();
  s.generator = default_generator().state();
  return s;
}

void Trainer::resume(const TrainState& s) {
  require(s.scheduler.empty() == (scheduler_ == nullptr), "trainer", "the checkpoint was made ", s.scheduler.empty() ? "without" : "with",
          " a scheduler; resume it the same way");
  const bool more_to_do = s.progress.epoch < options_.epochs && !out_of_patience(s.progress);
  require(!s.progress.finished || !more_to_do, "trainer", "the checkpoint is of a training that finished after ", s.progress.epoch,
          " epochs; start anew to train for ", options_.epochs);
  check_snapshot(model_, s.best, "trainer");
  check_snapshot(model_, s.now, "trainer");
  load_state(options_.terms, s.best_terms);  // checked before they are needed
  load_state(options_.terms, s.terms);
  optimizer_.load_state(s.optimizer);
  if (scheduler_ != nullptr) {
    scheduler_->load_state(s.scheduler);
  }
  restore_snapshot(model_, s.now, "trainer");
  default_generator().set_state(s.generator);
  progress_ = s.progress;
  best_ = s.best;
  best_terms_ = s.best_terms;
}

}  // namespace lora::nn
