#pragma once
// What a safetensors file or an adapter folder holds.

#include <filesystem>

namespace mnist_lora {

/// Prints the totals, the metadata, each tensor with dtype, shape and elements, and the settings of an adapter folder.
/// @param path  a safetensors file or a PEFT folder. @throws lora::Error
void run_inspect(const std::filesystem::path& path, bool json);

}  // namespace mnist_lora
