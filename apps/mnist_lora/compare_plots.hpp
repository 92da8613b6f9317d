#pragma once
// The figures of the comparison.

#include <vector>

#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

/// Test accuracy of each run, adapters enabled. The bars do not begin at 0, which would hide the differences; the figure says where.
Figure accuracy_bars(const Results& results);

/// Peak memory of each run's training, and bytes of its weights.
Figure memory_bars(const Results& results);

/// Those of the above and of the curves that the results have data for.
std::vector<Figure> compare_figures(const Results& results);

}  // namespace mnist_lora
