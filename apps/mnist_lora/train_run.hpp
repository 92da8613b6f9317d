#pragma once
// Training one run of an experiment: from where it was left, with progress and log, until it is done or interrupted.

#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/options.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/run_plan.hpp"
#include "apps/mnist_lora/workspace.hpp"
#include "nn/csv_log.hpp"
#include "nn/module.hpp"

namespace mnist_lora {

/// Optimizer steps of the whole training.
std::int64_t planned_steps(const RunPlan& plan, const TrainingData& data, const CommonOptions& options);

/// What a run trains on, and what chooses its best epoch. @throws lora::Error if there are none
lora::datasets::DataLoader training_images(const RunPlan& plan, const TrainingData& data, const CommonOptions& options);
lora::datasets::DataLoader validation_images(const RunPlan& plan, const TrainingData& data);

/// Trains what of `model` is trainable with AdamW and the plan's schedule, keeping the weights of the best epoch on the
/// validation part. Goes on from the workspace's checkpoint of this run if there is one.
/// @throws Interrupted after writing a checkpoint, if the program was asked to stop
Run train_run(lora::nn::Module& model, const RunPlan& plan, const TrainingData& data, const CommonOptions& options,
              const Workspace& workspace, lora::nn::CsvLog& log);

}  // namespace mnist_lora
