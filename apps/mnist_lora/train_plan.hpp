#pragma once
// What the command train will do, from its options alone.

#include "apps/mnist_lora/run_plan.hpp"
#include "apps/mnist_lora/train.hpp"
#include "apps/mnist_lora/workspace.hpp"

namespace mnist_lora {

RunPlan train_plan(const TrainOptions& options);

/// What the results depend on besides the flags of CommonOptions, the contents of --weights included.
/// @throws lora::Error if these cannot be read
Settings train_settings(const TrainOptions& options);

}  // namespace mnist_lora
