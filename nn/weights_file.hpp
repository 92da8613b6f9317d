#pragma once
// A module's parameters and buffers in a safetensors file, under PyTorch's names.

#include <filesystem>

#include "nn/module.hpp"

namespace lora::nn {

/// Writes state_dict(); the file appears whole or not at all. Merged adapters are part of the weights, others are not written.
/// @throws Error naming the file
void save_weights(const Module& module, const std::filesystem::path& path);

/// Reads what save_weights() or PyTorch's safetensors wrote for the same architecture. @throws Error naming the file and all that does not
/// fit; then nothing was changed
void load_weights(Module& module, const std::filesystem::path& path);

}  // namespace lora::nn
