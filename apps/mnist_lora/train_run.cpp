#include "apps/mnist_lora/train_run.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "apps/mnist_lora/hold_base.hpp"
#include "apps/mnist_lora/interrupt.hpp"
#include "apps/mnist_lora/rank_log.hpp"
#include "core/base/memory.hpp"
#include "lora/attach.hpp"
#include "nn/adaptable.hpp"
#include "nn/optim/adam.hpp"
#include "nn/optim/exponential_lr.hpp"
#include "nn/optim/one_cycle.hpp"
#include "nn/progress.hpp"
#include "nn/trainer.hpp"

namespace mnist_lora {

namespace {

/// What the base says of an image weighs so much against its label: with 1, tuned digits gained no more than others lost.
constexpr double kHold = 2;

std::uint64_t adapter_bytes(const lora::nn::AdaptableLayer& layer) {
  std::uint64_t bytes = 0;
  for (const std::string& name : layer.adapter_names()) {
    for (const auto& [parameter, tensor] : layer.adapter(name)->named_parameters()) {
      bytes += tensor.nbytes();
    }
  }
  return bytes;
}

std::uint64_t weight_bytes(const lora::nn::Module& model) {
  std::uint64_t bytes = 0;
  for (const lora::Tensor& tensor : model.parameters()) {
    bytes += tensor.nbytes();
  }
  for (const auto& [path, module] : model.named_modules()) {
    if (const auto* layer = dynamic_cast<const lora::nn::AdaptableLayer*>(module)) {
      bytes += (layer->packed() != nullptr ? layer->packed()->nbytes() : 0) + adapter_bytes(*layer);
    }
  }
  return bytes;
}

Run describe_run(const lora::nn::Module& model, const RunPlan& plan) {
  const lora::ParameterCounts counts = lora::count_parameters(model);
  Run run;
  run.name = plan.name;
  run.adapter = plan.adapter;
  run.rank = plan.rank;
  run.alpha = plan.alpha;
  run.train_digits = plan.digits.str();
  run.parameters = {counts.total, counts.trainable, counts.added};
  run.weight_bytes = weight_bytes(model);
  return run;
}

void add_history(Run& run, const RunPlan& plan, const lora::nn::TrainResult& result) {
  for (const lora::nn::EpochRecord& e : result.history) {
    run.epochs.push_back({static_cast<int>(e.epoch), e.loss, e.lr, e.val_accuracy, e.seconds});
    run.seconds += e.seconds;
  }
  run.stopped_early = result.stopped_early;
  run.best_epoch = plan.keep_last ? static_cast<int>(run.epochs.size()) : static_cast<int>(result.best_epoch);
}

int epochs_of(const RunPlan& plan, const CommonOptions& options) { return plan.epochs.value_or(options.epochs); }

std::unique_ptr<lora::nn::TrainingTerm> training_term(const Trainee& trainee) {
  return trainee.adapter == nullptr ? nullptr : trainee.adapter->method().training(*trainee.adapter);
}

lora::nn::TrainOptions train_options(lora::nn::Module& model, const RunPlan& plan, const CommonOptions& options,
                                     lora::nn::TrainingTerm* term) {
  lora::nn::TrainOptions out;
  out.epochs = epochs_of(plan, options);
  out.patience = plan.patience.value_or(options.patience);
  out.restore_best = !plan.keep_last;
  out.stop = &stop_requested();
  if (plan.keep_others > 0) {
    // Replayed images stand for all of their kind.
    out.loss = hold_base(model, plan.digits, kHold / (plan.keep_others * plan.replays));
  }
  if (term != nullptr) {
    out.terms.push_back(term);
  }
  return out;
}

lora::nn::ProgressStyle progress_style(const CommonOptions& options) {
  return options.quiet ? lora::nn::ProgressStyle::quiet : lora::nn::progress_style_for_stderr();
}

/// Null for a constant rate.
std::unique_ptr<lora::optim::Scheduler> make_scheduler(lora::optim::Optimizer& optimizer, const RunPlan& plan, std::int64_t steps) {
  if (plan.lr_plan == LrPlan::constant) {
    return nullptr;
  }
  if (plan.lr_plan == LrPlan::falling) {
    return std::make_unique<lora::optim::ExponentialLR>(optimizer, lora::optim::ExponentialLROptions{0.5});
  }
  lora::optim::OneCycleOptions cycle;
  cycle.max_lr = plan.peak_lr;
  cycle.total_steps = std::max<std::int64_t>(1, steps);
  return std::make_unique<lora::optim::OneCycleLR>(optimizer, cycle);
}

}  // namespace

lora::datasets::DataLoader training_images(const RunPlan& plan, const TrainingData& data, const CommonOptions& options) {
  return data.training(plan.digits, options.batch_size, {plan.keep_others, plan.replays, plan.affine});
}

lora::datasets::DataLoader validation_images(const RunPlan& plan, const TrainingData& data) {
  return data.validation(plan.keep_others > 0 ? lora::datasets::DigitSet::all() : plan.digits);
}

std::int64_t planned_steps(const RunPlan& plan, const TrainingData& data, const CommonOptions& options) {
  return epochs_of(plan, options) * training_images(plan, data, options).batches();
}

Run train_run(const Trainee& trainee, const RunPlan& plan, const TrainingData& data, const CommonOptions& options,
              const Workspace& workspace, lora::nn::CsvLog& log) {
  const lora::Device device = trainee.model.device();
  lora::reset_peak_memory(device);
  const lora::datasets::DataLoader training = training_images(plan, data, options);
  const lora::datasets::DataLoader validation = validation_images(plan, data);
  lora::optim::AdamWOptions adam;
  adam.lr = plan.peak_lr;
  adam.weight_decay = plan.weight_decay;
  lora::nn::Module& model = trainee.model;
  lora::optim::AdamW optimizer(model.trainable_parameters(), adam);
  const auto scheduler = make_scheduler(optimizer, plan, planned_steps(plan, data, options));
  const std::unique_ptr<lora::nn::TrainingTerm> term = training_term(trainee);
  RankLog ranks(term.get());
  ranks.record(0);
  lora::nn::Trainer trainer(model, optimizer, scheduler.get(), train_options(model, plan, options, term.get()));

  const std::optional<lora::nn::TrainState> state = workspace.checkpoint(plan.name);
  if (state) {
    trainer.resume(*state);
    ranks.resume(state->notes.count("ranks") == 1 ? state->notes.at("ranks") : "");
  }
  log.begin(plan.name, state ? state->progress.history : lora::nn::History{});
  lora::nn::ProgressReporter progress(plan.name, epochs_of(plan, options), progress_style(options));
  lora::nn::TrainCallbacks callbacks;
  callbacks.on_step = [&](const lora::nn::StepRecord& record) { progress.step(record); };
  callbacks.on_epoch = [&](const lora::nn::EpochRecord& record) {
    progress.epoch(record);
    log.append(record);
    ranks.record(record.epoch);
  };
  const lora::nn::TrainResult result = trainer.fit(training, validation, callbacks);
  if (result.interrupted) {
    lora::nn::TrainState left = trainer.state();
    left.notes["ranks"] = ranks.note();
    workspace.save_checkpoint(plan.name, std::move(left));
    throw Interrupted("interrupted in run " + plan.name + "; what was done is kept in " + workspace.folder().string());
  }
  if (term) {
    term->finish();
  }
  Run run = describe_run(model, plan);
  add_history(run, plan, result);
  run.ranks = ranks.rows();
  run.peak_bytes = lora::memory_stats(device).peak_bytes;
  return run;
}

}  // namespace mnist_lora
