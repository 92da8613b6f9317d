#include "apps/mnist_lora/lists.hpp"

#include <algorithm>
#include <charconv>

#include "apps/mnist_lora/text.hpp"
#include "core/base/error.hpp"

namespace mnist_lora {

namespace {

std::vector<std::string_view> parts_of(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(comma + 1);
  }
}

template <class T>
void add_once(std::vector<T>& list, const T& value, std::string_view text) {
  lora::require(std::find(list.begin(), list.end(), value) == list.end(), "list", "'", text, "' has ", value, " twice; name each once");
  list.push_back(value);
}

}  // namespace

std::vector<int> parse_ranks(std::string_view text, int most) {
  std::vector<int> ranks;
  for (const std::string_view part : parts_of(text)) {
    int rank = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), rank);
    const bool whole = error == std::errc() && end == part.data() + part.size();
    lora::require(whole && rank >= 1 && rank <= most, "ranks", "'", text, "' has the part '", part, "'; write integers from 1 to ", most,
                  " separated by commas, such as 1,2,4");
    add_once(ranks, rank, text);
  }
  return ranks;
}

std::vector<double> parse_numbers(std::string_view text, double low, double high) {
  std::vector<double> numbers;
  for (const std::string_view part : parts_of(text)) {
    double number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    const bool whole = error == std::errc() && end == part.data() + part.size();
    lora::require(whole && number >= low && number <= high, "numbers", "'", text, "' has the part '", part, "'; write numbers from ",
                  exact(low), " to ", exact(high), " separated by commas");
    add_once(numbers, number, text);
  }
  return numbers;
}

std::vector<std::string> parse_names(std::string_view text, const std::vector<std::string>& known) {
  std::string choices;
  for (const std::string& name : known) {
    choices += (choices.empty() ? "" : ", ") + name;
  }
  std::vector<std::string> names;
  for (const std::string_view part : parts_of(text)) {
    const bool found = std::find(known.begin(), known.end(), part) != known.end();
    lora::require(found, "names", "'", text, "' has the part '", part, "'; choose from ", choices, ", separated by commas");
    add_once(names, std::string(part), text);
  }
  return names;
}

std::string format_ranks(const std::vector<int>& ranks) {
  std::string text;
  for (const int rank : ranks) {
    text += (text.empty() ? "" : ",") + std::to_string(rank);
  }
  return text;
}

std::string format_numbers(const std::vector<double>& numbers) {
  std::string text;
  for (const double number : numbers) {
    text += (text.empty() ? "" : ",") + exact(number);
  }
  return text;
}

}  // namespace mnist_lora
