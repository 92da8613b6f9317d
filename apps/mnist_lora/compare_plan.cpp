#include "apps/mnist_lora/compare_plan.hpp"

#include "apps/mnist_lora/models.hpp"
#include "apps/mnist_lora/recipe.hpp"

namespace mnist_lora {

namespace {

/// On a trained base validation accuracy hardly tells rates apart (docs/experiments.md); these let the loss fall without a jump. Methods
/// that share out ranks start with gates at 0, which damp the first steps.
double adapter_lr(const std::string& adapter) { return adapter == "adalora" || adapter == "dynamic" ? 2e-3 : 1e-3; }

}  // namespace

std::vector<RunPlan> compare_plan(const CompareOptions& options) {
  const lora::datasets::DigitSet all = lora::datasets::DigitSet::all();
  std::vector<RunPlan> plans{{"base", "none", 0, 0.0, all, model_lr(options.model), recipe::kBaseDecay}};
  for (const std::string& adapter : options.adapters) {
    plans.push_back({adapter, adapter, options.rank, options.alpha, all, adapter_lr(adapter), recipe::kAdapterDecay});
  }
  for (RunPlan& plan : plans) {
    plan.peak_lr = options.common.lr > 0 ? options.common.lr : plan.peak_lr;
  }
  return plans;
}

}  // namespace mnist_lora
