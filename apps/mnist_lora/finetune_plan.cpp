#include "apps/mnist_lora/finetune_plan.hpp"

#include <algorithm>

#include "apps/mnist_lora/models.hpp"
#include "apps/mnist_lora/recipe.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

constexpr double kTuneLr = 3e-3;
/// Changed images are new ones to the base, and what it says of them is held too.
constexpr lora::datasets::RandomAffine kTuneImages{.degrees = 15, .translate = 2, .scale = 0.1, .shear = 5};
/// Changed anew each time, few images hold more of what the base does; but an epoch has no more of them than there are of all others.
constexpr double kMostReplays = 10;
constexpr const char* kSweepMark = "-lr-";

RunPlan lora_plan(const FinetuneOptions& o, int rank, double lr, double keep_others) {
  RunPlan plan;
  plan.name = "lora-r" + std::to_string(rank);
  plan.adapter = "lora";
  plan.rank = rank;
  plan.alpha = o.alpha / o.rank * rank;
  plan.digits = o.digits;
  plan.peak_lr = lr;
  plan.weight_decay = recipe::kAdapterDecay;
  plan.keep_others = keep_others;
  plan.epochs = o.tune_epochs;
  plan.replays = keep_others > 0 ? static_cast<int>(std::clamp(1 / keep_others, 1.0, kMostReplays)) : 1;
  plan.affine = kTuneImages;
  plan.own_norms = true;
  plan.patience = 0;
  plan.keep_last = true;  // the rate falls to the end, and some images more or fewer in validation are chance
  return plan;
}

RunPlan base_plan(const FinetuneOptions& o) {
  RunPlan plan;
  plan.name = "base";
  plan.digits = lora::datasets::DigitSet::all();
  plan.peak_lr = o.common.lr > 0 ? o.common.lr : model_lr(o.model);
  plan.weight_decay = recipe::kBaseDecay;
  plan.lr_plan = o.model.starts_with("resnet") ? LrPlan::falling : LrPlan::constant;
  return plan;
}

}  // namespace

std::vector<RunPlan> finetune_plan(const FinetuneOptions& o) {
  std::vector<RunPlan> plans{base_plan(o)};
  for (const double share : o.keep_others) {
    plans.push_back(lora_plan(o, o.rank, o.common.lr > 0 ? o.common.lr : kTuneLr, share));
    plans.back().name += share > 0 ? "-keep-" + exact(share) : "";
  }
  for (std::size_t i = 0; o.sweep && i < o.ranks.size(); ++i) {
    for (const double lr : o.lrs) {
      plans.push_back(lora_plan(o, o.ranks[i], lr, o.keep_others.front()));
      plans.back().name += kSweepMark + exact(lr);
    }
  }
  return plans;
}

bool is_of_sweep(const RunPlan& plan) { return plan.name.find(kSweepMark) != std::string::npos; }

}  // namespace mnist_lora
