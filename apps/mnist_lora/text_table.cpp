#include "apps/mnist_lora/text_table.hpp"

#include <algorithm>
#include <string_view>

#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

std::size_t column_width(const std::vector<std::vector<TextCell>>& lines, std::size_t column) {
  std::size_t width = 0;
  for (const std::vector<TextCell>& line : lines) {
    width = std::max(width, display_width(line[column].text));
  }
  return width;
}

std::string dressed(const std::string& text, std::string_view code) {
  return std::string("\x1b[").append(code).append("m") + text + "\x1b[0m";
}

}  // namespace

void print_table(std::ostream& out, const std::vector<std::vector<TextCell>>& lines, std::size_t text_columns, bool colour) {
  for (std::size_t number = 0; number < lines.size(); ++number) {
    const std::vector<TextCell>& line = lines[number];
    std::string pending;  // spaces that only a further cell makes needed
    for (std::size_t c = 0; c < line.size(); ++c) {
      const std::string space(column_width(lines, c) - display_width(line[c].text), ' ');
      const bool left = c < text_columns;
      const bool bold = colour && number == 0;
      const bool green = colour && line[c].strong;
      const std::string text = bold ? dressed(line[c].text, "1") : green ? dressed(line[c].text, "32") : line[c].text;
      pending += (c == 0 ? "" : "  ") + (left ? "" : space);
      if (!line[c].text.empty()) {
        out << pending << text;
        pending.clear();
      }
      pending += left ? space : "";
    }
    out << '\n';
  }
}

}  // namespace mnist_lora
