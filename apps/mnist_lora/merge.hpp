#pragma once
// An adapter folded into the weights, as a file of its own.

#include <filesystem>

#include "apps/mnist_lora/model_files.hpp"
#include "apps/mnist_lora/options.hpp"

namespace mnist_lora {

struct MergeOptions {
  CommonOptions common;
  ModelFiles files;
  std::filesystem::path output;
  bool force = false;       ///< replace `output` if it is there; never a file that is read
  bool requantize = false;  ///< weights that are in 4 bits stay so; else they become dense
};

/// Writes the merged weights and says what was merged, by how much weights changed, and how far logits are from those with the adapter
/// attached. @throws lora::Error; then no file was changed
void run_merge(const MergeOptions& options);

}  // namespace mnist_lora
