#include "apps/mnist_lora/sweep.hpp"

#include <algorithm>
#include <cmath>

#include "apps/mnist_lora/plot_style.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

template <class T>
void add_once(std::vector<T>& list, T value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) {
    list.push_back(value);
  }
}

/// Ranks and rates in the order of the points.
struct Axes {
  std::vector<int> ranks;
  std::vector<double> lrs;

  explicit Axes(const std::vector<SweepPoint>& points) {
    for (const SweepPoint& point : points) {
      add_once(ranks, point.rank);
      add_once(lrs, point.lr);
    }
    std::sort(ranks.begin(), ranks.end());
    std::sort(lrs.begin(), lrs.end());
  }
};

const SweepPoint* find_point(const std::vector<SweepPoint>& points, int rank, double lr) {
  const auto at = std::find_if(points.begin(), points.end(), [&](const SweepPoint& p) { return p.rank == rank && p.lr == lr; });
  return at == points.end() ? nullptr : &*at;
}

/// Column, row, value for each cell.
std::string heat_data(const std::vector<SweepPoint>& points, const Axes& axes) {
  std::string out = "$heat << END_OF_HEAT\n";
  for (std::size_t row = 0; row < axes.ranks.size(); ++row) {
    for (std::size_t column = 0; column < axes.lrs.size(); ++column) {
      const SweepPoint* point = find_point(points, axes.ranks[row], axes.lrs[column]);
      out += std::to_string(column) + ' ' + std::to_string(row) + ' ' + exact(point == nullptr ? std::nan("") : point->reduction) + '\n';
    }
  }
  return out + "END_OF_HEAT\n";
}

template <class T>
std::string tics(const char* axis, const std::vector<T>& values) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    out += (i == 0 ? "" : ", ") + quote(short_number(static_cast<double>(values[i]))) + ' ' + std::to_string(i);
  }
  return std::string("set ") + axis + "tics (" + out + ") scale 0\nset " + axis +
         "range [-0.5:" + exact(static_cast<double>(values.size()) - 0.5) + "]\n";
}

/// Rectangles in the colour of their values, with white text on dark ones.
constexpr const char* kCells =
    "plot $heat using 1:2:(0.49):(0.49):3 with boxxyerror fs solid 1 noborder lc palette, "
    "$heat using 1:2:(sprintf('%.0f %%', $3)):($3 > 55 ? 0xffffff : 0x1f2933) with labels textcolor rgb variable\n";

}  // namespace

ReportTable sweep_table(const std::vector<SweepPoint>& points, const std::string& tuned) {
  const Axes axes(points);
  ReportTable table{"Sweep", {"Rank"}, {}, 1, ""};
  for (const double lr : axes.lrs) {
    table.header.push_back("lr " + short_number(lr));
    table.header.push_back("all digits");
  }
  for (const int rank : axes.ranks) {
    std::vector<Cell> row{{std::to_string(rank)}};
    for (const double lr : axes.lrs) {
      const SweepPoint* point = find_point(points, rank, lr);
      row.push_back({fixed(point == nullptr ? std::nan("") : point->reduction, 1)});
      row.push_back({fixed(point == nullptr ? std::nan("") : point->accuracy, 2)});
    }
    table.rows.push_back(std::move(row));
  }
  table.note = "For each learning rate: per cent of the base's errors on test images of " + tuned +
               " that are gone, and the accuracy on all digits in per cent.";
  return table;
}

Figure sweep_map(const std::vector<SweepPoint>& points, const std::string& tuned) {
  const Axes axes(points);
  Figure figure{"sweep", "Fewer errors by rank and learning rate", "", "", 900, 0, "", ""};
  figure.subtitle = "Per cent of the base's wrong test images of " + tuned + " that are right with the adapter";
  figure.caption = figure.subtitle + ", for each rank (up) and learning rate (across).";
  figure.height = 150 + 56 * static_cast<int>(axes.ranks.size());
  figure.data = heat_data(points, axes);
  figure.script = place_axes(figure, {84, 64, 880, static_cast<double>(figure.height) - 76}) + axis_name(figure, 482, "Learning rate") +
                  text_at(at_pixel(figure, 28, figure.height - 64), "Rank", "left textcolor rgb " + kMuted) + "unset grid\nunset border\n" +
                  "unset colorbox\nset cbrange [0:100]\nset palette defined (0 '#eaf2f9', 1 " + kBlue + ")\n" + tics("x", axes.lrs) +
                  tics("y", axes.ranks) + kCells;
  return figure;
}

}  // namespace mnist_lora
