#include "apps/mnist_lora/compare_plots.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "apps/mnist_lora/axis.hpp"
#include "apps/mnist_lora/bar_chart.hpp"
#include "apps/mnist_lora/learning_curves.hpp"
#include "apps/mnist_lora/own_curves.hpp"
#include "apps/mnist_lora/rank_curves.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

std::int64_t errors_in(const TestRow& row) {
  return std::accumulate(row.errors_per_digit.begin(), row.errors_per_digit.end(), std::int64_t{0});
}

std::string accuracy_label(const TestRow& row) { return fixed(row.accuracy, 2) + " %, " + grouped(errors_in(row)) + " wrong"; }

std::vector<double> accuracies(const Results& results) {
  std::vector<double> values;
  for (const Run& run : results.runs) {
    values.push_back(test_accuracy(run, "0-9", true));
  }
  return values;
}

/// A round number so far below all values that chance does not look like a difference.
double start_below(const Range& values) {
  const double spread = std::max(2 * (values.high - values.low), 1.0);
  return std::max(0.0, std::floor((values.low - spread) * 2) / 2);
}

/// Two standard errors of a share of right images, in points: what two runs may differ by without being different.
std::string chance_of(const TestRow& row) {
  const auto wrong = static_cast<double>(errors_in(row));
  const double images = wrong / (1 - row.accuracy / 100);
  return wrong > 0 ? " Two standard errors of one of them are " + fixed(200 * std::sqrt(wrong * (images - wrong) / images) / images, 2) +
                         " points."
                   : "";
}

constexpr double kMiB = 1024.0 * 1024.0;

template <class Value>
BarPanel memory_panel(const Results& results, const std::string& title, const Value& value) {
  const std::vector<std::string> colours = run_colours(results);
  BarPanel panel{title, 0, 0, 0, {}};
  double most = 0;
  for (std::size_t i = 0; i < results.runs.size(); ++i) {
    const std::uint64_t count = value(results.runs[i]);
    panel.bars.push_back({results.runs[i].name, static_cast<double>(count) / kMiB, bytes(count), colours[i]});
    most = std::max(most, panel.bars.back().value);
  }
  panel.to = most > 0 ? 1.38 * most : 1;
  panel.last = panel.to;
  return panel;
}

}  // namespace

Figure accuracy_bars(const Results& results) {
  const Range range = range_of(accuracies(results));
  const double from = start_below(range);
  const std::vector<std::string> colours = run_colours(results);
  std::string chance;
  BarPanel panel{"", from, range.high + 0.32 * (range.high - from), std::min(100.0, range.high + 0.32 * (range.high - from)), {}};
  for (std::size_t i = 0; i < results.runs.size(); ++i) {
    if (const TestRow* row = find_test(results.runs[i], "0-9", true); row != nullptr) {
      panel.bars.push_back({results.runs[i].name, row->accuracy, accuracy_label(*row), colours[i]});
      chance = chance.empty() ? chance_of(*row) : chance;
    }
  }
  Figure figure{"test_accuracy", "Test accuracy", "", "", 900, 0, "", ""};
  figure.subtitle = "Right test images, %. The bars begin at " + short_number(from) + " %, not at 0";
  figure.caption = "Test accuracy of each run on all digits, adapters enabled." + chance;
  draw_bars(figure, {panel});
  return figure;
}

Figure memory_bars(const Results& results) {
  Figure figure{"memory", "Memory", "", "", 900, 0, "", ""};
  figure.subtitle = "MiB of live tensors";
  figure.caption = "Peak memory while a run is trained, and memory of its weights, adapter included.";
  draw_bars(figure, {memory_panel(results, "Peak in training", [](const Run& run) { return run.peak_bytes; }),
                     memory_panel(results, "Weights", [](const Run& run) { return run.weight_bytes; })});
  return figure;
}

std::vector<Figure> compare_figures(const Results& results) {
  std::vector<Figure> figures;
  if (std::any_of(results.runs.begin(), results.runs.end(), [](const Run& run) { return find_test(run, "0-9", true) != nullptr; })) {
    figures.push_back(accuracy_bars(results));
  }
  if (has_epochs(results)) {
    figures.push_back(learning_curves(results));
    figures.push_back(own_curves(results));
  }
  if (has_ranks(results)) {
    figures.push_back(rank_curves(results));
  }
  figures.push_back(memory_bars(results));
  return figures;
}

}  // namespace mnist_lora
