#pragma once
// A figure of errors by digit.

#include <string>
#include <vector>

#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

struct ErrorSeries {
  std::string title;  ///< in the key
  TestRow row;
};

/// Wrong test images of each digit: a bar for each of one or two series; the last one is blue, one before it grey. The digits `shaded`,
/// as `5-9`, have a background; empty for none.
Figure error_bars(const std::vector<ErrorSeries>& series, const std::string& shaded);

}  // namespace mnist_lora
