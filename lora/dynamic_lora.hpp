#pragma once
// Dynamic low-rank adaptation: components that matter little for their layer's update are pruned while training.

#include <map>
#include <string>
#include <vector>

#include "lora/attach.hpp"
#include "lora/rank_allocator.hpp"

namespace lora {

/// Settings of dynamic low-rank adaptation. Its authors call it DoRA, as weight-decomposed adaptation is called too, which is another
/// method.
struct DynamicLoraConfig {
  Index r = 8;                ///< rank that layers have on average in the end, 1 to start_r
  Index start_r = 0;          ///< rank that each layer starts with, at most 65536; 0 stands for ceil(1.5 r)
  double lora_alpha = 8.0;    ///< numerator of the scaling lora_alpha / start_r; 0 makes the adapter a bystander
  double lora_dropout = 0.0;  ///< probability, of the adapter's input only, in [0, 1)
  Index total_step = 0;       ///< optimizer steps of the whole training: must be given
  double prune_start = 0.15;  ///< share of the steps that are done before pruning starts, in [0, 1]
  double prune_end = 0.5;     ///< share of the steps that are done when the ranks are final, from prune_start to 1
  Index prune_interval = 1;   ///< steps from one pruning to the next
  double beta = 0.9;          ///< smoothing of the importances, in [0, 1)
  double dem_weight = 0.1;    ///< weight of the regulariser, 0 or more
  TargetModules target_modules = "all-linear";
  TargetModules exclude_modules = {};
  /// Which components of a layer are there, of start_r, by `PATH.lora_c`; all of layers that are not named. Files of a finished training
  /// have it.
  std::map<std::string, std::vector<bool>> rank_pattern = {};

  /// start_r, or what 0 stands for.
  Index start_rank() const;
};

/// Dynamic low-rank adaptation for the common code: y = W x + b + s B(c * (A x)), s = lora_alpha / start_r, with numbers c that start at 0;
/// A and B start uniform in +-sqrt(6 / fan_in) (He et al. 2015), where the fan_in of B is its rank. Convolutions as in LoRA: A sees a
/// window, B is 1 x 1.
/// Files: PEFT has no such method, so folders have a peft_type of their own, DYNAMIC_LORA, and only this library reads them.
/// merge_adapters() gives weights that anybody can read.
/// @source Mao et al. 2024, arXiv:2405.17357
class DynamicLoraMethod final : public AdapterMethod {
 public:
  /// @throws Error if a setting is out of its range
  explicit DynamicLoraMethod(DynamicLoraConfig config);
  const DynamicLoraConfig& config() const { return config_; }

  std::string_view peft_type() const override { return "DYNAMIC_LORA"; }
  const TargetModules& target_modules() const override { return config_.target_modules; }
  const TargetModules& exclude_modules() const override { return config_.exclude_modules; }
  std::unique_ptr<nn::Adapter> make(std::string_view path, const nn::AdaptableLayer& layer, Generator& generator) const override;
  /// A DynamicAllocator.
  std::unique_ptr<nn::TrainingTerm> training(const AttachedAdapter& adapter) const override;

 private:
  DynamicLoraConfig config_;
};

/// Attaches dynamic low-rank adaptation; see attach() in lora/attach.hpp. Ranks change only in a training that has its DynamicAllocator.
/// @throws Error also if a setting is out of its range
AttachedAdapter attach(nn::Module& model, const DynamicLoraConfig& config, const std::string& name = "default",
                       Generator& generator = default_generator());

}  // namespace lora
