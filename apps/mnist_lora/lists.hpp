#pragma once
// Lists on the command line: `1,2,4` and `lora,dora`.

#include <string>
#include <string_view>
#include <vector>

namespace mnist_lora {

/// @throws lora::Error naming the part that is not an integer in 1..most, or comes twice
std::vector<int> parse_ranks(std::string_view text, int most = 4096);

/// The inverse of parse_ranks.
std::string format_ranks(const std::vector<int>& ranks);

/// Numbers such as 0.1 and 3e-3. @throws lora::Error naming the part that is not a number in low..high, or comes twice
std::vector<double> parse_numbers(std::string_view text, double low, double high);

/// The inverse of parse_numbers.
std::string format_numbers(const std::vector<double>& numbers);

/// @throws lora::Error naming the part that is not one of `known`, or comes twice
std::vector<std::string> parse_names(std::string_view text, const std::vector<std::string>& known);

}  // namespace mnist_lora
