#include "apps/mnist_lora/compare_plan.hpp"

#include <algorithm>
#include <iterator>

#include "apps/mnist_lora/models.hpp"
#include "apps/mnist_lora/recipe.hpp"

namespace mnist_lora {

namespace {

struct MethodLr {
  const char* adapter;
  double lr;
};
/// Chosen by validation accuracy on 10,000 images (docs/experiments.md has the sweep).
constexpr MethodLr kMethodLr[] = {{"lora", 2e-3}, {"dora", 2e-3}, {"qlora", 2e-3}, {"adalora", 2e-3}, {"dynamic", 2e-3}};

double method_lr(const std::string& adapter) {
  const MethodLr* end = std::end(kMethodLr);
  const MethodLr* found = std::find_if(std::begin(kMethodLr), end, [&](const MethodLr& row) { return adapter == row.adapter; });
  return found != end ? found->lr : kMethodLr[0].lr;
}

}  // namespace

std::vector<RunPlan> compare_plan(const CompareOptions& options) {
  const lora::datasets::DigitSet all = lora::datasets::DigitSet::all();
  std::vector<RunPlan> plans{{"base", "none", 0, 0.0, all, model_lr(options.model), recipe::kBaseDecay}};
  for (const std::string& adapter : options.adapters) {
    plans.push_back({adapter, adapter, options.rank, options.alpha, all, method_lr(adapter), recipe::kAdapterDecay});
  }
  for (RunPlan& plan : plans) {
    plan.peak_lr = options.common.lr > 0 ? options.common.lr : plan.peak_lr;
  }
  return plans;
}

}  // namespace mnist_lora
