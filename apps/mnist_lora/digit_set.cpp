#include "apps/mnist_lora/digit_set.hpp"

#include <array>

#include "core/base/error.hpp"

namespace mnist_lora {

namespace {

using Members = std::array<bool, 10>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

void add_piece(std::string_view piece, std::string_view text, Members& members) {
  const bool single = piece.size() == 1 && is_digit(piece[0]);
  const bool range = piece.size() == 3 && is_digit(piece[0]) && piece[1] == '-' && is_digit(piece[2]) && piece[0] <= piece[2];
  lora::require(single || range, "digits", "'", text, "' has the part '", piece, "'; write digits and ranges, such as 0-4 or 3,6,8");
  for (char c = piece.front(); c <= piece.back(); ++c) {
    bool& member = members[static_cast<std::size_t>(c - '0')];
    lora::require(!member, "digits", "'", text, "' names ", c, " twice; name each digit once");
    member = true;
  }
}

DigitSet members_where(const Members& members, bool value) {
  DigitSet digits;
  for (int d = 0; d < 10; ++d) {
    if (members[static_cast<std::size_t>(d)] == value) {
      digits.push_back(d);
    }
  }
  return digits;
}

void append(std::string& out, int first, int last) {
  const auto separate = [&] { out += out.empty() ? "" : ","; };
  if (last - first >= 2) {
    separate();
    out += std::to_string(first) + "-" + std::to_string(last);
    return;
  }
  for (int d = first; d <= last; ++d) {
    separate();
    out += std::to_string(d);
  }
}

}  // namespace

DigitSet parse_digits(std::string_view text) {
  Members members{};
  std::size_t begin = 0;
  while (true) {
    const std::size_t comma = text.find(',', begin);
    add_piece(text.substr(begin, comma == std::string_view::npos ? comma : comma - begin), text, members);
    if (comma == std::string_view::npos) {
      return members_where(members, true);
    }
    begin = comma + 1;
  }
}

std::string format_digits(const DigitSet& digits) {
  std::string out;
  for (std::size_t i = 0; i < digits.size();) {
    std::size_t j = i;
    while (j + 1 < digits.size() && digits[j + 1] == digits[j] + 1) {
      ++j;
    }
    append(out, digits[i], digits[j]);
    i = j + 1;
  }
  return out;
}

DigitSet complement(const DigitSet& digits) {
  Members members{};
  for (const int d : digits) {
    members.at(static_cast<std::size_t>(d)) = true;
  }
  return members_where(members, false);
}

}  // namespace mnist_lora
