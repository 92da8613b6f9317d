#pragma once
// The figures of the digit-split experiment.

#include <string>
#include <vector>

#include "apps/mnist_lora/digit_grid.hpp"
#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/published.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

/// Accuracy on `tuned` over the rank: runs with an adapter that were trained on these digits.
Figure accuracy_by_rank(const Results& results, const std::string& tuned, const Published& published);

/// Training loss and validation accuracy of each epoch, all runs.
Figure learning_curves(const Results& results);

/// Errors on all test images by digit, of the base and of one adapted run; `tuned` is shaded.
Figure errors_by_digit(const Run& base, const Run& adapted, const std::string& tuned);

/// Those of the above that the results have data for, then the grid unless it is empty.
/// @param shown name of the run that is compared with the base
std::vector<Figure> digits_figures(const Results& results, const std::string& tuned, const std::string& shown, const Published& published,
                                   const std::vector<GridDigit>& grid);

}  // namespace mnist_lora
