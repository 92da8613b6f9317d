#pragma once
// Ranges and tics of axes.

#include <string>
#include <vector>

namespace mnist_lora {

struct Range {
  double low = 0;
  double high = 1;
};

/// From the least to the greatest finite value; {0, 1} without any.
Range range_of(const std::vector<double>& values);

/// `set yrange` for percentages: some air around the values, at most 100 (a little more, so that a marker at 100 is whole).
std::string percent_axis(const Range& values);

/// `set logscale y` with tics at 1, 2 and 5 times each power of ten within the range, or at powers alone where there are many; plain where
/// a value is not positive.
std::string log_axis(const Range& values);

/// The least of 1, 2 and 5 times a power of ten that is not below `step`, which must be positive.
double tidy_step(double step);

}  // namespace mnist_lora
