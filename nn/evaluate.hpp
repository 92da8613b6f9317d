#pragma once
// How well a classifier does on a set of samples.

#include <vector>

#include "nn/batch_source.hpp"
#include "nn/module.hpp"

namespace lora::nn {

struct Evaluation {
  Index samples = 0;
  double accuracy = 0;                  ///< percent; 0 without samples
  double loss = 0;                      ///< mean cross entropy over the samples, in nats; 0 without samples
  std::vector<Index> errors_per_class;  ///< wrong predictions by the true class
  std::vector<Index> predicted;         ///< class with the largest logit, in the order of the samples
};

/// Runs `model` in evaluation mode and without recording over epoch 0 of `source`, whose batches are copied to the
/// model's device; the modes are put back afterwards.
/// Sums are made in f64, batch by batch, so that the result does not depend on the number of threads.
/// @param model  gives logits [N, C] @param classes  true classes are 0..classes-1
/// @throws Error if a target is outside the classes, or the logits are not [N,C] with C > 0
Evaluation evaluate(Module& model, const BatchSource& source, Index classes = 10);

}  // namespace lora::nn
