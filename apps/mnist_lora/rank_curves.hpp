#pragma once
// A figure of the ranks that methods choose for layers.

#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

/// Whether a method has changed ranks.
bool has_ranks(const Results& results);

/// Rank of each layer after each epoch: a panel for each run that has changed them. A dashed line is the rank of the others.
Figure rank_curves(const Results& results);

}  // namespace mnist_lora
