#pragma once
// How well a model does on images of a data set.

#include <string>

#include "apps/mnist_lora/model_files.hpp"
#include "apps/mnist_lora/options.hpp"
#include "datasets/digits.hpp"

namespace mnist_lora {

struct EvalOptions {
  CommonOptions common;
  ModelFiles files;
  lora::datasets::DigitSet digits = lora::datasets::DigitSet::all();
  std::string split = "test";  ///< test, validation or train: see eval_splits()
};

/// The values of --split. `validation` and `train` are the two parts of the training images, as `train` with equal --digits, --limit and
/// --seed divides them.
std::vector<std::string> eval_splits();

/// Prints accuracy, loss and errors per digit: for the digits, the others and all, with the adapter and without. @throws lora::Error
void run_eval(const EvalOptions& options);

}  // namespace mnist_lora
