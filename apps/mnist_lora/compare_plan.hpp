#pragma once
// Which runs the comparison has, and with which learning rates.

#include <vector>

#include "apps/mnist_lora/compare.hpp"
#include "apps/mnist_lora/run_plan.hpp"

namespace mnist_lora {

/// The base first, then each adapter by its name; all on all digits.
std::vector<RunPlan> compare_plan(const CompareOptions& options);

}  // namespace mnist_lora
