#pragma once
// Logits of a model for images in a file.

#include <filesystem>

#include "apps/mnist_lora/model_files.hpp"
#include "apps/mnist_lora/options.hpp"

namespace mnist_lora {

struct PredictOptions {
  CommonOptions common;
  ModelFiles files;
  std::filesystem::path input, output;
};

/// model(x), in large batches: f32 [N,10].
lora::Tensor logits_of(const lora::nn::Module& model, const lora::Tensor& x);

/// Reads tensor `x` [N,1,28,28] of the input as it is and writes `logits` f32 [N,10]. @throws lora::Error
void run_predict(const PredictOptions& options);

}  // namespace mnist_lora
