#pragma once
// LoRA as a method that the common code can handle.

#include "lora/lora.hpp"
#include "lora/method.hpp"

namespace lora {

class LoraMethod final : public AdapterMethod {
 public:
  /// @throws Error if a setting is out of its range
  explicit LoraMethod(LoraConfig config);
  const LoraConfig& config() const { return config_; }

  std::string_view peft_type() const override { return "LORA"; }
  const TargetModules& target_modules() const override { return config_.target_modules; }
  const TargetModules& exclude_modules() const override { return config_.exclude_modules; }
  TrainedBias bias() const override { return config_.bias; }
  const std::vector<std::string>& modules_to_save() const override { return config_.modules_to_save; }
  std::unique_ptr<nn::Adapter> make(std::string_view path, const nn::AdaptableLayer& layer, Generator& generator) const override;

 private:
  LoraConfig config_;
};

}  // namespace lora
