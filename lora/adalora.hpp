#pragma once
// AdaLoRA: low-rank adapters that share a budget of ranks, which training moves to where it matters.

#include <map>
#include <string>
#include <vector>

#include "lora/attach.hpp"
#include "lora/rank_allocator.hpp"

namespace lora {

/// Settings, with PEFT's names and defaults. Steps are optimizer steps; the schedule is that of AdaLoraAllocator.
struct AdaLoraConfig {
  Index target_r = 8;            ///< rank that layers have on average in the end, 1 to init_r
  Index init_r = 12;             ///< rank that each layer starts with, at most 65536
  Index tinit = 0;               ///< first steps, in which nothing is pruned
  Index tfinal = 0;              ///< last steps, in which the ranks stay as they are
  Index deltaT = 1;              ///< steps from one pruning to the next
  double beta1 = 0.85;           ///< smoothing of the sensitivities, in (0, 1)
  double beta2 = 0.85;           ///< smoothing of their uncertainties, in (0, 1)
  double orth_reg_weight = 0.5;  ///< weight of the regulariser, 0 or more
  Index total_step = 0;          ///< steps of the whole training: must be given, and more than tinit + tfinal
  double lora_alpha = 8.0;       ///< s of the formula; 0 and less stand for init_r, as in PEFT
  double lora_dropout = 0.0;     ///< probability, of the adapter's input only, in [0, 1)
  TargetModules target_modules = "all-linear";
  TargetModules exclude_modules = {};
  /// Which components of a layer are there, of init_r, by `PATH.lora_E`; all of layers that are not named. Files of a finished training
  /// have it.
  std::map<std::string, std::vector<bool>> rank_pattern = {};
};

/// AdaLoRA for the common code: y = W x + b + s / (init_r + 1e-5) B((A * E) x), with triplets of a row of A, a column of B and a number E
/// that starts at 0; A and B start normal with standard deviation 0.02. Convolutions as in LoRA: A sees a window, B is 1 x 1.
/// @source Zhang et al. 2023, arXiv:2303.10512; the constant denominator is PEFT's
class AdaLoraMethod final : public AdapterMethod {
 public:
  /// @throws Error if a setting is out of its range
  explicit AdaLoraMethod(AdaLoraConfig config);
  const AdaLoraConfig& config() const { return config_; }

  std::string_view peft_type() const override { return "ADALORA"; }
  const TargetModules& target_modules() const override { return config_.target_modules; }
  const TargetModules& exclude_modules() const override { return config_.exclude_modules; }
  std::unique_ptr<nn::Adapter> make(std::string_view path, const nn::AdaptableLayer& layer, Generator& generator) const override;
  /// An AdaLoraAllocator.
  std::unique_ptr<nn::TrainingTerm> training(const AttachedAdapter& adapter) const override;

 private:
  AdaLoraConfig config_;
};

/// Attaches AdaLoRA; see attach() in lora/attach.hpp. The ranks move only in a training that has its AdaLoraAllocator.
/// @throws Error also if a setting is out of its range
AttachedAdapter attach(nn::Module& model, const AdaLoraConfig& config, const std::string& name = "default",
                       Generator& generator = default_generator());

}  // namespace lora
