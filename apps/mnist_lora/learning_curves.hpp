#pragma once
// A figure of training: loss and validation accuracy over the epochs, for any experiment.

#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

/// Whether there is anything to draw.
bool has_epochs(const Results& results);

/// Training loss (left) and validation accuracy (right) of each epoch. Runs of the most common adapter get shades by rank, the base is
/// dashed grey, the others have hues of their own. A single run is blue.
Figure learning_curves(const Results& results);

}  // namespace mnist_lora
