#pragma once
// Testing a model on sets of digits, with its adapters and without them.

#include <cstdint>
#include <vector>

#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/results.hpp"
#include "datasets/digits.hpp"
#include "nn/module.hpp"

namespace mnist_lora {

struct ModelTest {
  std::vector<TestRow> rows;         ///< for each set adapters on, then off where the model has any; sets without images are left out
  std::vector<lora::Index> on, off;  ///< predictions for each image; `off` is empty without adapters
};

/// The sets that a model is tested on: the tuned digits, the others, all, and what it was trained on; each once.
std::vector<lora::datasets::DigitSet> tested_sets(const lora::datasets::DigitSet& tuned, const lora::datasets::DigitSet& trained);

/// One pass over the images, two with adapters: a set's row is the sum of those of its digits.
/// @throws lora::Error if none of the images is of one of the sets
ModelTest test_model(lora::nn::Module& model, const ImagePart& images, const std::vector<lora::datasets::DigitSet>& sets,
                     std::int64_t batch_size = kEvaluationBatch);

}  // namespace mnist_lora
