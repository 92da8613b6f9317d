#pragma once
// What safetensors files and adapter folders hold.

#include <filesystem>
#include <vector>

#include "apps/mnist_lora/options.hpp"

namespace mnist_lora {

struct InspectOptions {
  CommonOptions common;
  std::vector<std::filesystem::path> paths;  ///< each a safetensors file, of any origin, or a PEFT folder
};

/// Prints for each path the totals, the metadata, an adapter's settings, and the tensors by layer.
/// @throws lora::Error naming every path that cannot be read, after those that can are printed
void run_inspect(const InspectOptions& options);

}  // namespace mnist_lora
