#pragma once
// Which runs the digit-split experiment has, and with which learning rates.

#include <vector>

#include "apps/mnist_lora/digits.hpp"
#include "apps/mnist_lora/published.hpp"
#include "apps/mnist_lora/run_plan.hpp"

namespace mnist_lora {

/// The base first, then LoRA by rank on the tuned digits, last the largest rank on base and tuned digits together.
std::vector<RunPlan> digits_plan(const DigitsOptions& options);

/// Per cent reported by the published experiment, by the names of digits_plan(); for the default digits only.
Published digits_published(const DigitsOptions& options);

}  // namespace mnist_lora
