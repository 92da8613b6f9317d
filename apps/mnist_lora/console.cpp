#include "apps/mnist_lora/console.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "apps/mnist_lora/text.hpp"
#include "datasets/digits.hpp"

namespace mnist_lora {

namespace {

struct Entry {
  std::string text;
  bool strong = false;
};
using Line = std::vector<Entry>;

std::size_t column_width(const std::vector<Line>& lines, std::size_t column) {
  std::size_t width = 0;
  for (const Line& line : lines) {
    width = std::max(width, display_width(line[column].text));
  }
  return width;
}

std::string dressed(const std::string& text, std::string_view code, bool colour) {
  return colour ? std::string("\x1b[").append(code).append("m") + text + "\x1b[0m" : text;
}

void print_line(std::ostream& out, const std::vector<Line>& lines, std::size_t number, bool colour) {
  for (std::size_t c = 0; c < lines[number].size(); ++c) {
    const Entry& entry = lines[number][c];
    const std::string space(column_width(lines, c) - display_width(entry.text), ' ');
    const std::string text = number == 0 ? dressed(entry.text, "1", colour) : entry.strong ? dressed(entry.text, "32", colour) : entry.text;
    const bool last = c + 1 == lines[number].size();
    out << (c == 0 ? text + space : "  " + space + text) << (last ? "\n" : "");
  }
}

/// Test digits of the accuracy columns: the tuned ones, the others if there are any, all.
std::vector<std::string> test_sets(const std::string& tuned) {
  std::vector<std::string> sets{tuned};
  const lora::datasets::DigitSet others = lora::datasets::DigitSet::parse(tuned).complement();
  if (!others.empty()) {
    sets.push_back(others.str());
  }
  sets.emplace_back("0-9");
  sets.erase(std::unique(sets.begin(), sets.end()), sets.end());
  return sets;
}

std::vector<double> accuracies(const Run& run, const std::vector<std::string>& sets) {
  std::vector<double> values{best_val_accuracy(run)};
  for (const std::string& digits : sets) {
    values.push_back(test_accuracy(run, digits, true));
  }
  return values;
}

Line line_of(const Run& run, const std::vector<double>& values, const std::vector<double>& best) {
  const bool plain = run.adapter == "none";
  Line line{{run.name}, {plain ? "-" : std::to_string(run.rank)}, {grouped(run.parameters.trainable)}};
  for (std::size_t i = 0; i < values.size(); ++i) {
    line.push_back({fixed(values[i], 2), !plain && values[i] == best[i]});
  }
  line.push_back({duration(run.seconds)});
  return line;
}

std::vector<double> best_of(const Results& results, const std::vector<std::string>& sets) {
  std::vector<double> best(sets.size() + 1, -1);
  for (const Run& run : results.runs) {
    const std::vector<double> values = accuracies(run, sets);
    for (std::size_t i = 0; run.adapter != "none" && i < values.size(); ++i) {
      best[i] = values[i] > best[i] ? values[i] : best[i];
    }
  }
  return best;
}

}  // namespace

bool use_colour(std::FILE* stream) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool wanted = (no_colour == nullptr || *no_colour == '\0') && terminal != nullptr && std::string_view(terminal) != "dumb";
  return wanted && isatty(fileno(stream)) != 0;
}

void print_summary(std::ostream& out, const Results& results, const std::string& tuned, bool colour) {
  const std::vector<std::string> sets = test_sets(tuned);
  std::vector<Line> lines{{{"run"}, {"rank"}, {"parameters"}, {"val %"}}};
  for (const std::string& digits : sets) {
    lines[0].push_back({digits + " %"});
  }
  lines[0].push_back({"time"});
  const std::vector<double> best = best_of(results, sets);
  for (const Run& run : results.runs) {
    lines.push_back(line_of(run, accuracies(run, sets), best));
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    print_line(out, lines, i, colour);
  }
}

}  // namespace mnist_lora
