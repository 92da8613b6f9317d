#pragma once
// Which runs the tuning of single digits has, and with which learning rates.

#include <vector>

#include "apps/mnist_lora/finetune.hpp"
#include "apps/mnist_lora/run_plan.hpp"

namespace mnist_lora {

/// The base on all digits, then LoRA for each share of others that is kept, then the sweep if there is one. Names: `lora-r4`,
/// `lora-r4-keep-0.1`, `lora-r8-lr-0.003`.
std::vector<RunPlan> finetune_plan(const FinetuneOptions& options);

/// Whether the run is of the sweep.
bool is_of_sweep(const RunPlan& plan);

}  // namespace mnist_lora
