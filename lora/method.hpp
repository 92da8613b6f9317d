#pragma once
// What a method of adaptation is to the code that attaches, counts and saves adapters.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/rng.hpp"
#include "lora/target.hpp"
#include "nn/adaptable.hpp"
#include "nn/training_term.hpp"

namespace lora {

class AttachedAdapter;

/// Which of the base's biases an adapter has its own values of.
enum class TrainedBias {
  none,
  lora_only,  ///< those of the layers that it adapts
  all,        ///< every parameter named `bias`
};

/// A method with its settings, able to make the adapter of one layer.
class AdapterMethod {
 public:
  virtual ~AdapterMethod() = default;
  /// PEFT's word for the method: `LORA`, ...
  virtual std::string_view peft_type() const = 0;
  virtual const TargetModules& target_modules() const = 0;
  virtual const TargetModules& exclude_modules() const = 0;
  virtual TrainedBias bias() const { return TrainedBias::none; }
  /// Modules that the adapter has its own values of, parameters and buffers: by path, or its end after a point. They are not adapted.
  virtual const std::vector<std::string>& modules_to_save() const;
  /// @throws Error naming the layer's path if the settings do not fit it
  virtual std::unique_ptr<nn::Adapter> make(std::string_view path, const nn::AdaptableLayer& layer, Generator& generator) const = 0;
  /// What the method adds to the training of an adapter that it made; null for most. The model must outlive it.
  virtual std::unique_ptr<nn::TrainingTerm> training(const AttachedAdapter&) const { return nullptr; }
};

}  // namespace lora
