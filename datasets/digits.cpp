#include "datasets/digits.hpp"

#include <bit>

#include "core/base/error.hpp"

namespace lora::datasets {

namespace {

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(' ');
  return first == std::string_view::npos ? std::string_view{} : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

int parse_digit(std::string_view text, std::string_view part) {
  const std::string_view digit = trim(part);
  require(digit.size() == 1 && digit[0] >= '0' && digit[0] <= '9', "digits", "'", text, "': '", digit,
          "' is not a digit 0 to 9; write digits and ranges as in 0-4,7");
  return digit[0] - '0';
}

void parse_item(std::string_view text, std::string_view item, DigitSet& set) {
  const std::size_t dash = item.find('-');
  const int first = parse_digit(text, item.substr(0, dash));
  const int last = dash == std::string_view::npos ? first : parse_digit(text, item.substr(dash + 1));
  require(first <= last, "digits", "'", text, "': the range ", first, "-", last, " runs backwards; write ", last, "-", first);
  for (int digit = first; digit <= last; ++digit) {
    set.add(digit);
  }
}

}  // namespace

DigitSet::DigitSet(std::initializer_list<int> digits) {
  for (const int digit : digits) {
    add(digit);
  }
}

DigitSet DigitSet::all() { return DigitSet().complement(); }

DigitSet DigitSet::parse(std::string_view text) {
  require(!trim(text).empty(), "digits", "'", text, "': names no digit; write digits and ranges as in 0-4,7");
  DigitSet set;
  std::string_view rest = text;
  for (std::size_t comma = rest.find(','); comma != std::string_view::npos; comma = rest.find(',')) {
    parse_item(text, rest.substr(0, comma), set);
    rest.remove_prefix(comma + 1);
  }
  parse_item(text, rest, set);
  return set;
}

void DigitSet::add(int digit) {
  require(digit >= 0 && digit <= 9, "digits", digit, " is not a digit 0 to 9");
  mask_ |= 1u << digit;
}

DigitSet DigitSet::complement() const {
  DigitSet others;
  others.mask_ = ~mask_ & 0x3ffu;
  return others;
}

int DigitSet::size() const { return std::popcount(mask_); }

std::string DigitSet::str() const {
  std::string text;
  for (int first = 0; first <= 9; ++first) {
    if (!contains(first)) {
      continue;
    }
    int last = first;
    while (contains(last + 1)) {
      ++last;
    }
    text += (text.empty() ? "" : ",") + std::to_string(first);
    if (last - first >= 2) {
      text += "-" + std::to_string(last);
      first = last;
    }
  }
  return text.empty() ? "none" : text;
}

}  // namespace lora::datasets
