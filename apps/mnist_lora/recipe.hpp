#pragma once
// Learning rates and weight decays where the command line gives none.

namespace mnist_lora::recipe {

/// Peak of the one-cycle schedule for a perceptron from scratch (other models: models.cpp), and AdamW's decay for any. docs/experiments.md
/// has the sweep.
inline constexpr double kBaseLr = 3e-3;
inline constexpr double kBaseDecay = 0.05;
/// The peak for weights that are trained already.
inline constexpr double kFurtherLr = 1e-3;
inline constexpr double kAdapterDecay = 0.01;

/// The peak for an adapter with scaling 1: the higher the rank, the lower.
double adapter_lr(int rank);

}  // namespace mnist_lora::recipe
