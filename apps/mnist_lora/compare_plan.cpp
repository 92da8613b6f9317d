#include "apps/mnist_lora/compare_plan.hpp"

#include "apps/mnist_lora/models.hpp"
#include "apps/mnist_lora/recipe.hpp"

namespace mnist_lora {

namespace {

/// Validation accuracy hardly tells rates apart on a trained base (docs/experiments.md), so all adapters have the same.
constexpr double kAdapterLr = 2e-3;

}  // namespace

std::vector<RunPlan> compare_plan(const CompareOptions& options) {
  const lora::datasets::DigitSet all = lora::datasets::DigitSet::all();
  std::vector<RunPlan> plans{{"base", "none", 0, 0.0, all, model_lr(options.model), recipe::kBaseDecay}};
  for (const std::string& adapter : options.adapters) {
    plans.push_back({adapter, adapter, options.rank, options.alpha, all, kAdapterLr, recipe::kAdapterDecay});
  }
  for (RunPlan& plan : plans) {
    plan.peak_lr = options.common.lr > 0 ? options.common.lr : plan.peak_lr;
  }
  return plans;
}

}  // namespace mnist_lora
