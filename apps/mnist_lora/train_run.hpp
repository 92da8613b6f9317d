#pragma once
// Training one run of an experiment: from where it was left, with progress and log, until it is done or interrupted.

#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/options.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/run_plan.hpp"
#include "apps/mnist_lora/workspace.hpp"
#include "lora/attach.hpp"
#include "nn/csv_log.hpp"
#include "nn/module.hpp"

namespace mnist_lora {

/// Optimizer steps of the whole training.
std::int64_t planned_steps(const RunPlan& plan, const TrainingData& data, const CommonOptions& options);

/// What a run trains on, and what chooses its best epoch. @throws lora::Error if there are none
lora::datasets::DataLoader training_images(const RunPlan& plan, const TrainingData& data, const CommonOptions& options);
lora::datasets::DataLoader validation_images(const RunPlan& plan, const TrainingData& data);

/// A model, and the adapter that is to be trained on it: its method may take part in the training. None for a base.
struct Trainee {
  Trainee(lora::nn::Module& m, const lora::AttachedAdapter* a = nullptr) : model(m), adapter(a) {}
  lora::nn::Module& model;
  const lora::AttachedAdapter* adapter;
};

/// Trains what of the model is trainable with AdamW and the schedule of the plan, keeping the weights of the best epoch on the
/// validation part, or of the last (RunPlan::keep_last). What the method prunes is gone afterwards. Goes on from the workspace's checkpoint
/// of this run if there is one.
/// @throws Interrupted after writing a checkpoint, if the program was asked to stop
Run train_run(const Trainee& trainee, const RunPlan& plan, const TrainingData& data, const CommonOptions& options,
              const Workspace& workspace, lora::nn::CsvLog& log);

}  // namespace mnist_lora
