#pragma once
// Training of a classifier with validation, early stopping, the best weights kept, and interruption at any step.

#include <atomic>
#include <functional>
#include <vector>

#include "nn/batch_source.hpp"
#include "nn/evaluate.hpp"
#include "nn/module.hpp"
#include "nn/optim/optimizer.hpp"
#include "nn/optim/scheduler.hpp"
#include "nn/train_state.hpp"
#include "nn/training_term.hpp"

namespace lora::nn {

/// The loss of a batch, a scalar with its graph.
using LossFunction = std::function<Tensor(const Module& model, const Batch& batch)>;

struct TrainOptions {
  Index epochs = 10;
  Index patience = 0;                       ///< stop after so many epochs in a row without a better validation; 0 never stops early
  bool restore_best = true;                 ///< end with the weights of the best epoch, not of the last
  Index classes = 10;                       ///< for the validation
  double clip_grad_norm = 0;                ///< gradients are scaled down to this norm (clip_grad_norm_) before a step; 0 leaves them
  LossFunction loss = {};                   ///< what is minimised; empty: the mean cross entropy of model(x) against y
  const std::atomic<bool>* stop = nullptr;  ///< asked after every step: true interrupts the training
  std::vector<TrainingTerm*> terms = {};    ///< beside the cross entropy; they must live as long as the trainer
};

struct TrainCallbacks {
  std::function<void(const StepRecord&)> on_step;    ///< after the optimizer's and the scheduler's step, with the gradients still there
  std::function<void(const EpochRecord&)> on_epoch;  ///< after the validation; Trainer::state() is then a checkpoint of the finished epoch
};

struct TrainResult {
  History history;
  Index best_epoch = 0;        ///< from 1
  double best_accuracy = 0;    ///< validation, percent
  double best_loss = 0;        ///< validation
  bool stopped_early = false;  ///< patience ended it before the last epoch
  bool interrupted = false;    ///< `stop` ended it; Trainer::state() has what is needed to go on
};

/// Minimises the mean cross entropy of model(x) against y, or the loss of the options, plus the terms of the options. The losses that it
/// reports are without the terms. One trainer is one training: a fit() after an interrupted one goes on with it.
///
/// An epoch is better than another if its validation accuracy is higher or, where accuracies are equal, its validation loss is lower.
/// Until all terms are settled, the last epoch always counts as the best: it is not compared with others and costs no patience. Terms
/// are put back together with the weights they belong to.
/// A scheduler steps once a batch or an epoch, as it says; one that wants a metric gets the validation loss if smaller is better and
/// the validation accuracy (percent) if larger is.
class Trainer {
 public:
  /// All of them must live as long as the trainer; `scheduler` may be null. The optimizer has the model's trainable parameters.
  Trainer(Module& model, optim::Optimizer& optimizer, optim::Scheduler* scheduler, const TrainOptions& options);

  /// Batches are copied to the model's device. Trains until the last epoch, early stopping or interruption, in training mode
  /// (hold_frozen_statistics() apart); modes are put back afterwards. The first validation is at the end of epoch 1, and the batches of
  /// epoch e (from 1) are train.batch(e - 1, ..).
  /// @throws Error if there are no batches, or naming epoch and step if a loss is not finite; then the best weights were put back
  TrainResult fit(const BatchSource& train, const BatchSource& validation, const TrainCallbacks& callbacks = {});

  /// Everything to go on from here, valid inside callbacks and after fit().
  TrainState state() const;

  /// Takes up a state of a training with equal model, optimizer, scheduler and data, that of default_generator() included: fit() then
  /// ends with the same bits as the uninterrupted training. After a finished state fit() gives its result again.
  /// @throws Error saying what does not fit; then model and progress were not changed
  void resume(const TrainState& state);

 private:
  bool out_of_patience(const TrainProgress& progress) const;
  bool over() const;
  bool stop_asked() const { return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed); }
  bool run_epochs(const BatchSource& train, const BatchSource& validation, const TrainCallbacks& callbacks);
  bool train_epoch(const BatchSource& train, const TrainCallbacks& callbacks);
  double train_step(const Batch& batch);
  Tensor with_terms(const Tensor& loss) const;
  bool settled() const;
  void keep_best(const EpochRecord& record);
  void restore_best();
  void end_epoch(const BatchSource& validation, const TrainCallbacks& callbacks);
  void keep_if_best(const EpochRecord& record);
  void step_scheduler(const EpochRecord& record);
  [[noreturn]] void diverged(const char* what, double value);
  TrainResult result(bool interrupted) const;

  Module& model_;
  optim::Optimizer& optimizer_;
  optim::Scheduler* scheduler_;
  TrainOptions options_;
  TrainProgress progress_;
  Snapshot best_;
  NamedTensors best_terms_;
};

}  // namespace lora::nn
