#pragma once
// One training: a model from scratch, a model further on, or an adapter on frozen weights.

#include <filesystem>
#include <string>

#include "apps/mnist_lora/adapters.hpp"
#include "apps/mnist_lora/models.hpp"
#include "apps/mnist_lora/options.hpp"
#include "datasets/digits.hpp"

namespace mnist_lora {

struct TrainOptions {
  CommonOptions common;
  std::string model = model_names().front();
  std::filesystem::path weights;  ///< to begin with; empty: from scratch
  std::string adapter = "none";   ///< or one of adapter_names(): then `weights` stay as they are
  int rank = 8;
  double alpha = 0;            ///< 0: the rank, so that the scaling is 1
  std::string target = "all";  ///< see AdapterRequest
  std::string name;            ///< of the run and of its adapter's folder; empty: the model's, or `lora-r8`
  lora::datasets::DigitSet digits = lora::datasets::DigitSet::all();
  std::string program = "mnist_lora";  ///< as it was called, for the commands to go on with
  std::string command_line;            ///< for the report

  bool adapts() const { return adapter != "none"; }
};

/// Trains, tests what was written, and writes OUT: see Workspace. @throws lora::Error, or Interrupted
void run_train(const TrainOptions& options);

}  // namespace mnist_lora
