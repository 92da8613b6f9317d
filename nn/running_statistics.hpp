#pragma once
// How a forward pass, which changes no module, still lets batch normalisations learn the statistics of their inputs.

#include <vector>

#include "core/ops/norm.hpp"
#include "nn/module.hpp"

namespace lora::nn {

/// Statistics that a batch normalisation saw, and the buffers that they are meant for.
struct StatisticsUpdate {
  BatchStatistics running, batch;
  Tensor batches;  ///< i64, the number of updates so far
  double momentum = 0.1;
};

/// While it lives, batch normalisations in training mode report to it what they see in forward passes of this thread; with several alive,
/// to the one made last. Nothing is moved before apply(), so a pass whose loss is not finite leaves no trace:
///
///     RunningStatistics statistics;
///     const Tensor loss = cross_entropy(model(x), y);
///     statistics.apply();
///     loss.backward();
///
/// Without one, a forward pass in training mode normalises by the batch and changes nothing.
class RunningStatistics {
 public:
  RunningStatistics();
  ~RunningStatistics();
  RunningStatistics(const RunningStatistics&) = delete;
  RunningStatistics& operator=(const RunningStatistics&) = delete;

  /// Moves the buffers by what was reported since the last call, in the order of the reports, and counts the batches.
  void apply();

  /// Called by layers. A pass that gradient checkpointing runs again is not reported a second time.
  static void report(const StatisticsUpdate& update);

 private:
  RunningStatistics* before_;
  std::vector<StatisticsUpdate> updates_;
};

/// Puts batch normalisations whose weight is frozen into evaluation mode (an adapter may train biases alone); one without weight counts as
/// frozen with a model whose own parameters all are. They then normalise by the running statistics and move none: with its adapters
/// disabled, a tuned model is its base.
void hold_frozen_statistics(Module& model);

}  // namespace lora::nn
