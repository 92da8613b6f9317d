#pragma once
// A table on the terminal.

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

namespace mnist_lora {

struct TextCell {
  std::string text;
  bool strong = false;  ///< green where there is colour
};

/// The first line is the heading; lines have equally many cells. The first `text_columns` are left-aligned, the others are numbers.
/// Columns are aligned by what is seen: UTF-8 counts by code points. No line ends in spaces.
void print_table(std::ostream& out, const std::vector<std::vector<TextCell>>& lines, std::size_t text_columns = 1, bool colour = false);

}  // namespace mnist_lora
