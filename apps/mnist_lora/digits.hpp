#pragma once
// The digit-split experiment: a perceptron trained on some digits learns the others through LoRA alone.

#include <string>
#include <vector>

#include "apps/mnist_lora/finished.hpp"
#include "apps/mnist_lora/options.hpp"
#include "datasets/digits.hpp"

namespace mnist_lora {

struct DigitsOptions {
  CommonOptions common;
  lora::datasets::DigitSet base{0, 1, 2, 3, 4};
  lora::datasets::DigitSet tune{5, 6, 7, 8, 9};
  std::vector<int> ranks{1, 2, 4, 8, 16, 32, 64};
  std::string command_line;  ///< for the report
};

/// Trains the base on `base`, LoRA of each rank from there on `tune`, and the largest rank on both; tests all; writes OUT.
/// @throws lora::Error, or Interrupted
FinishedExperiment digits_experiment(const DigitsOptions& options);

/// The command: the experiment, and what it says at the end.
void run_digits(const DigitsOptions& options);

}  // namespace mnist_lora
