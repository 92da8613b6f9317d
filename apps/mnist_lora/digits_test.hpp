#pragma once
// Testing the runs of the digit-split experiment, once all are trained: from the files that they left.

#include <filesystem>
#include <vector>

#include "apps/mnist_lora/digit_grid.hpp"
#include "apps/mnist_lora/digits.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/workspace.hpp"

namespace mnist_lora {

/// Adds the test rows of every run: the tuned digits, their complement, 0-9 and, where it is another set, what the run was trained on;
/// for adapters with and without them.
/// @return images for the report's grid. @throws lora::Error also if a disabled adapter does not leave the base, bit for bit
std::vector<GridDigit> test_digits(Results& results, const DigitsOptions& options, const std::filesystem::path& data,
                                   const Workspace& workspace);

}  // namespace mnist_lora
