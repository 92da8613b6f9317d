#include "apps/mnist_lora/train_plan.hpp"

#include "apps/mnist_lora/recipe.hpp"
#include "apps/mnist_lora/text.hpp"
#include "core/base/file.hpp"

namespace mnist_lora {

namespace {

std::string default_name(const TrainOptions& o) { return o.adapts() ? o.adapter + "-r" + std::to_string(o.rank) : o.model; }

double default_lr(const TrainOptions& o) {
  if (o.adapts()) {
    return recipe::adapter_lr(o.rank);
  }
  return o.weights.empty() ? model_lr(o.model) : recipe::kFurtherLr;
}

/// FNV-1a of a file.
std::string fingerprint(const std::filesystem::path& file) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  const lora::MappedFile contents(file);
  for (const std::byte byte : contents.bytes()) {
    hash = (hash ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3u;
  }
  return std::to_string(hash);
}

}  // namespace

RunPlan train_plan(const TrainOptions& o) {
  RunPlan plan;
  plan.name = o.name.empty() ? default_name(o) : o.name;
  plan.adapter = o.adapter;
  plan.rank = o.adapts() ? o.rank : 0;
  plan.alpha = !o.adapts() ? 0 : o.alpha > 0 ? o.alpha : o.rank;
  plan.digits = o.digits;
  plan.peak_lr = o.common.lr > 0 ? o.common.lr : default_lr(o);
  plan.target = o.target;
  plan.weight_decay = o.adapts() ? recipe::kAdapterDecay : recipe::kBaseDecay;
  return plan;
}

Settings train_settings(const TrainOptions& o) {
  const RunPlan plan = train_plan(o);
  Settings settings{{"--model", o.model},
                    {"--weights", o.weights.empty() ? "none" : std::filesystem::weakly_canonical(o.weights).string()},
                    {"--adapter", o.adapter},
                    {"--name", plan.name},
                    {"--digits", o.digits.str()}};
  if (!o.weights.empty()) {
    settings["the hash of the file of --weights"] = fingerprint(o.weights);
  }
  if (o.adapts()) {
    settings.insert({{"--rank", std::to_string(plan.rank)}, {"--alpha", exact(plan.alpha)}, {"--target", o.target}});
  }
  return settings;
}

}  // namespace mnist_lora
