#pragma once
// Logits of a model for images in a file.

#include <filesystem>
#include <string>

#include "apps/mnist_lora/options.hpp"

namespace mnist_lora {

struct PredictOptions {
  CommonOptions common;
  std::string model = "mlp";
  std::filesystem::path weights, adapter, input, output;  ///< adapter: a PEFT folder, or empty
};

/// Reads tensor `x` [N,1,28,28] of the input as it is and writes `logits` f32 [N,10]. @throws lora::Error
void run_predict(const PredictOptions& options);

}  // namespace mnist_lora
