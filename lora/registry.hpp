#pragma once
// The methods that adapter folders can hold: one row a method. Not installed: it names the JSON library.

#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "lora/method.hpp"

namespace lora {

/// How a method is written in PEFT's files.
struct MethodRow {
  std::string_view peft_type;
  /// Settings from `adapter_config.json`. @throws Error "[adapter_config] 'KEY' .." on what cannot be had
  std::shared_ptr<const AdapterMethod> (*read)(const nlohmann::json& config);
  /// Adds the method's own keys to `config`; the common ones are there.
  void (*write)(const AdapterMethod& method, nlohmann::json& config);
  /// What follows `base_model.model.PATH.` for a parameter: `lora_A` is `lora_A.weight`.
  std::string (*file_key)(std::string_view parameter);
  /// Adds to `config` what differs from layer to layer; null where nothing does.
  void (*write_layers)(const AttachedAdapter& adapter, nlohmann::json& config) = nullptr;
  /// Tensors are matrices in files: those of convolutions are flattened from axis 1 on.
  bool matrices = false;
};

/// All rows.
std::span<const MethodRow* const> method_rows();

/// The row of a PEFT type. @throws Error naming the known ones
const MethodRow& method_row(std::string_view peft_type);

}  // namespace lora
