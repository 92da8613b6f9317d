#pragma once
// A convolutional network trained on all digits, then tuned by LoRA on those that it confuses.

#include <string>
#include <vector>

#include "apps/mnist_lora/finished.hpp"
#include "apps/mnist_lora/options.hpp"
#include "datasets/digits.hpp"

namespace mnist_lora {

/// Flags of all commands, where this one has its own.
CommonOptions finetune_defaults();

struct FinetuneOptions {
  CommonOptions common = finetune_defaults();
  std::string model = "vgg";
  lora::datasets::DigitSet digits{3, 6, 8};
  int rank = 4;
  double alpha = 4;
  std::vector<double> keep_others{0};  ///< shares of the other digits' images that are replayed, one run each
  int tune_epochs = 15;                ///< of each adapter; the base has those of `common`
  bool sweep = false;                  ///< a run for each pair of `ranks` and `lrs` too, alpha in proportion to the rank
  std::vector<int> ranks{1, 2, 4, 8};
  std::vector<double> lrs{1e-3, 3e-3, 1e-2};
  std::string command_line;  ///< for the report
};

/// Trains the base on all digits until its validation stops it, then LoRA on `digits`; tests all with adapters on and off; writes OUT.
/// @throws lora::Error, or Interrupted
FinishedExperiment finetune_experiment(const FinetuneOptions& options);

/// The command: the experiment, and what it says at the end.
void run_finetune(const FinetuneOptions& options);

}  // namespace mnist_lora
