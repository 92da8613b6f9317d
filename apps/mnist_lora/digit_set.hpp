#pragma once
// Sets of digits and how they are written: `0-4`, `3,6,8`, `0-2,5`.

#include <string>
#include <string_view>
#include <vector>

namespace mnist_lora {

/// Sorted, each once.
using DigitSet = std::vector<int>;

/// @throws lora::Error if `text` is not digits and ranges separated by commas, or names a digit twice
DigitSet parse_digits(std::string_view text);

/// Runs of three or more as a range: `0-4`, `3,6,8`, `0,1`.
std::string format_digits(const DigitSet& digits);

/// The digits of 0-9 that are not in the set.
DigitSet complement(const DigitSet& digits);

}  // namespace mnist_lora
