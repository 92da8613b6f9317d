#pragma once
// What an adapter folder says of itself, for people: also of methods that this library cannot attach.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

namespace mnist_lora {

struct AdapterSettings {
  std::string method;                ///< `lora`, `dora`, or PEFT's word in small letters
  std::string base;                  ///< name or path of the base model; may be empty
  std::optional<std::int64_t> rank;  ///< of methods that prune, that of the start
  std::optional<double> alpha, dropout;
  bool rslora = false;
  std::string targets;         ///< names separated by commas, or a pattern
  nlohmann::ordered_json all;  ///< the whole file

  /// alpha / r, or alpha / sqrt(r) with rsLoRA; none where they are not known.
  std::optional<double> scaling() const;
};

/// Reads FOLDER/adapter_config.json. Keys of another type than PEFT's count as missing.
/// @throws lora::Error naming the file if it cannot be read or is not a JSON object
AdapterSettings read_adapter_settings(const std::filesystem::path& folder);

}  // namespace mnist_lora
