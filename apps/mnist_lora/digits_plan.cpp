#include "apps/mnist_lora/digits_plan.hpp"

#include <algorithm>

#include "apps/mnist_lora/recipe.hpp"

namespace mnist_lora {

namespace {

using lora::datasets::DigitSet;

// Chosen by the validation accuracy of seeds 0-4 (docs/experiments.md has the sweep).
constexpr double kAllDigitsLr = 3e-3;
constexpr int kHeInitRank = 16;  // from here on the wider start is better

DigitSet both(const DigitsOptions& options) {
  DigitSet all = options.base;
  for (int digit = 0; digit <= 9; ++digit) {
    if (options.tune.contains(digit)) {
      all.add(digit);
    }
  }
  return all;
}

/// alpha = rank: scaling 1.
RunPlan lora_plan(int rank, const DigitSet& digits, const char* suffix, double lr) {
  return {"lora-r" + std::to_string(rank) + suffix,
          "lora",
          rank,
          static_cast<double>(rank),
          digits,
          lr,
          recipe::kAdapterDecay,
          rank >= kHeInitRank ? lora::LoraInit::he : lora::LoraInit::kaiming};
}

}  // namespace

std::vector<RunPlan> digits_plan(const DigitsOptions& options) {
  std::vector<RunPlan> plans{{"base", "none", 0, 0.0, options.base, recipe::kBaseLr, recipe::kBaseDecay}};
  for (const int rank : options.ranks) {
    plans.push_back(lora_plan(rank, options.tune, "", recipe::adapter_lr(rank)));
  }
  const int largest = *std::max_element(options.ranks.begin(), options.ranks.end());
  plans.push_back(lora_plan(largest, both(options), "-all", kAllDigitsLr));
  if (options.common.lr > 0) {
    for (RunPlan& plan : plans) {
      plan.peak_lr = options.common.lr;
    }
  }
  return plans;
}

Published digits_published(const DigitsOptions& options) {
  if (!(options.base == DigitSet{0, 1, 2, 3, 4} && options.tune == options.base.complement())) {
    return {};
  }
  return {{"base", 99.09},     {"lora-r1", 83.81},  {"lora-r2", 93.31},  {"lora-r4", 95.47},     {"lora-r8", 96.96},
          {"lora-r16", 97.59}, {"lora-r32", 97.65}, {"lora-r64", 97.96}, {"lora-r64-all", 97.14}};
}

}  // namespace mnist_lora
