#pragma once
// The comparison: a trained model, and every kind of adapter tuned on it.

#include <string>
#include <vector>

#include "apps/mnist_lora/adapters.hpp"
#include "apps/mnist_lora/finished.hpp"
#include "apps/mnist_lora/options.hpp"

namespace mnist_lora {

/// 12 epochs, or fewer: a run stops when three of them have brought nothing.
CommonOptions compare_defaults();

struct CompareOptions {
  CommonOptions common = compare_defaults();
  std::string model = "cnn";
  std::vector<std::string> adapters = adapter_names();
  int rank = 8;
  double alpha = 8;
  std::string command_line;  ///< for the report
};

/// Trains the base on all digits, then each adapter from there on the same images, so that their gains over the base can be compared;
/// tests all; writes OUT. @throws lora::Error, or Interrupted
FinishedExperiment compare_experiment(const CompareOptions& options);

/// The command: the experiment, and what it says at the end.
void run_compare(const CompareOptions& options);

}  // namespace mnist_lora
