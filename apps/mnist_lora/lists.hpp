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

/// @throws lora::Error naming the part that is not one of `known`, or comes twice
std::vector<std::string> parse_names(std::string_view text, const std::vector<std::string>& known);

}  // namespace mnist_lora
