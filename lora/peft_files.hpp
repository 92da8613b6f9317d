#pragma once
// Adapter folders as PEFT writes and reads them: `adapter_config.json` and `adapter_model.safetensors`.

#include <filesystem>
#include <string>

#include "lora/attach.hpp"
#include "nn/module.hpp"

namespace lora {

/// Writes the adapter as a PEFT folder, making the folder if needed. Each file appears whole or not at all; the configuration comes last.
/// @throws Error naming the file
void save_adapter(const AttachedAdapter& adapter, const std::filesystem::path& folder);

/// Attaches the adapter of a PEFT folder, active, and freezes the model. Nothing is drawn from the default generator.
/// @throws Error naming the file and the key if the configuration asks for something that this library does not do, or if the tensors do
/// not
///   fit the model's layers; then the model is as it was
AttachedAdapter load_adapter(nn::Module& model, const std::filesystem::path& folder, const std::string& name = "default");

/// What `adapter_config.json` says, without a model.
std::shared_ptr<const AdapterMethod> read_adapter_config(const std::filesystem::path& folder);

}  // namespace lora
