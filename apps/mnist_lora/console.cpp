#include "apps/mnist_lora/console.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "apps/mnist_lora/text.hpp"
#include "apps/mnist_lora/text_table.hpp"
#include "datasets/digits.hpp"

namespace mnist_lora {

namespace {

using Line = std::vector<TextCell>;

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
  print_table(out, lines, 1, colour);
}

}  // namespace mnist_lora
