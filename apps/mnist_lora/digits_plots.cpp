#include "apps/mnist_lora/digits_plots.hpp"

#include <algorithm>
#include <cmath>

#include "apps/mnist_lora/axis.hpp"
#include "apps/mnist_lora/error_bars.hpp"
#include "apps/mnist_lora/learning_curves.hpp"
#include "apps/mnist_lora/plot_style.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

struct RankPoint {
  int rank;
  std::int64_t trainable;
  double accuracy, published;
};

std::vector<RankPoint> rank_points(const Results& results, const std::string& tuned, const Published& published) {
  std::vector<RankPoint> points;
  for (const Run& run : results.runs) {
    if (run.adapter != "none" && run.train_digits == tuned && run.rank > 0) {
      const auto known = published.find(run.name);
      points.push_back(
          {run.rank, run.parameters.trainable, test_accuracy(run, tuned, true), known != published.end() ? known->second : std::nan("")});
    }
  }
  std::sort(points.begin(), points.end(), [](const RankPoint& a, const RankPoint& b) { return a.rank < b.rank; });
  return points;
}

/// Whether the curve comes down to point `i`: then its label is clear of the curve at the right, else at the left.
bool falls_to(const std::vector<RankPoint>& points, std::size_t i) { return i > 0 && points[i].accuracy < points[i - 1].accuracy; }

/// Rank, accuracy, published, then the accuracy again in the column of the side where its label is.
std::string rank_data(const std::vector<RankPoint>& points) {
  std::string out = "$rank << END_OF_RANKS\n";
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::string accuracy = exact(points[i].accuracy);
    out += std::to_string(points[i].rank) + ' ' + accuracy + ' ' + exact(points[i].published);
    out += falls_to(points, i) ? " NaN " + accuracy + '\n' : ' ' + accuracy + " NaN\n";
  }
  return out + "END_OF_RANKS\n";
}

std::string rank_labels(const std::string& column, const std::string& place) {
  return ", $rank using 1:" + column + ":(sprintf('%.2f', $" + column + ")) with labels " + place + ' ' + kSmallFont + " textcolor rgb " +
         kInk;
}

std::string rank_axis(const std::vector<RankPoint>& points) {
  std::string tics;
  for (const RankPoint& p : points) {
    const std::string text = std::to_string(p.rank) + '\n' + grouped(p.trainable);
    tics += (tics.empty() ? "" : ", ") + quote(text) + ' ' + std::to_string(p.rank);
  }
  const double low = points.front().rank / 1.4;
  const double high = points.back().rank * 1.4;
  return "set logscale x 2\nset xrange [" + exact(low) + ':' + exact(high) + "]\nset xtics (" + tics + ")\n";
}

Range rank_values(const std::vector<RankPoint>& points) {
  std::vector<double> values;
  for (const RankPoint& p : points) {
    values.insert(values.end(), {p.accuracy, p.published});
  }
  return range_of(values);
}

bool any_published(const std::vector<RankPoint>& points) {
  return std::any_of(points.begin(), points.end(), [](const RankPoint& p) { return std::isfinite(p.published); });
}

std::string rank_plot(const std::vector<RankPoint>& points, double base, bool base_in_range) {
  std::string out = "plot ";
  if (base_in_range) {
    out += exact(base) + " with lines lw 1.5 dt 2 lc rgb " + kGrey + " title 'base', ";
  }
  if (any_published(points)) {
    out += "$rank using 1:3 with linespoints pt 6 ps 0.8 lw 1.5 lc rgb '#7fb4d6' title 'published', ";
  }
  return out + "$rank using 1:2 with linespoints pt 7 ps 0.8 lw 2.5 lc rgb " + kBlue + " title 'this run'" +
         rank_labels("4", "right offset 0.6,0.85") + rank_labels("5", "left offset -0.6,0.85") + '\n';
}

const Run* find_run(const Results& results, const std::string& name) {
  const auto found = std::find_if(results.runs.begin(), results.runs.end(), [&](const Run& run) { return run.name == name; });
  return found != results.runs.end() ? &*found : nullptr;
}

}  // namespace

Figure accuracy_by_rank(const Results& results, const std::string& tuned, const Published& published) {
  const std::vector<RankPoint> points = rank_points(results, tuned, published);
  const Run* base_model = base_run(results);
  const double base = base_model != nullptr ? test_accuracy(*base_model, tuned, true) : std::nan("");
  Figure figure{"accuracy_by_rank", "Accuracy by rank", "Test accuracy on digits " + tuned + ", %", "", 900, 430, "", ""};
  figure.caption = "Test accuracy on digits " + tuned + " with the adapter enabled, for each rank.";
  Range range = rank_values(points);
  const bool near = base >= range.low - 2 * std::max(range.high - range.low, 1.0);  // else it would flatten the curve
  if (near) {
    range = {std::min(range.low, base), std::max(range.high, base)};
  } else if (std::isfinite(base)) {
    figure.subtitle += " (the base without an adapter: " + fixed(base, 2) + ")";
  }
  figure.data = rank_data(points);
  figure.script = place_axes(figure, {64, 84, 880, 352}) + axis_name(figure, 472, "Rank, and trainable parameters") + rank_axis(points) +
                  percent_axis(range) + "set key at " + at_pixel(figure, 884, 404) + " right top horizontal\n" +
                  rank_plot(points, base, near);
  return figure;
}

Figure errors_by_digit(const Run& base, const Run& adapted, const std::string& tuned) {
  const TestRow* before = find_test(base, "0-9", true);
  const TestRow* after = find_test(adapted, "0-9", true);
  Figure figure =
      error_bars({{"base", before != nullptr ? *before : TestRow()}, {adapted.name, after != nullptr ? *after : TestRow()}}, tuned);
  figure.caption =
      "Errors on the test images of each digit, by the base and by " + adapted.name + ". The digits that were tuned are shaded.";
  return figure;
}

std::vector<Figure> digits_figures(const Results& results, const std::string& tuned, const std::string& shown, const Published& published,
                                   const std::vector<GridDigit>& grid) {
  std::vector<Figure> figures;
  if (!rank_points(results, tuned, published).empty()) {
    figures.push_back(accuracy_by_rank(results, tuned, published));
  }
  if (has_epochs(results)) {
    figures.push_back(learning_curves(results));
  }
  const Run* base = base_run(results);
  const Run* adapted = find_run(results, shown);
  if (base != nullptr && adapted != nullptr) {
    figures.push_back(errors_by_digit(*base, *adapted, tuned));
  }
  if (!grid.empty()) {
    figures.push_back(digit_grid(grid, shown));
  }
  return figures;
}

}  // namespace mnist_lora
