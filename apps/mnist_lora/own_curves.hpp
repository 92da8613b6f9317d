#pragma once
// A figure with a small panel for each run.

#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

/// Training loss and validation accuracy of every run that has epochs, each in a panel of its own; those of adapters have equal
/// axes. The epoch whose weights were kept has a ring.
Figure own_curves(const Results& results);

}  // namespace mnist_lora
