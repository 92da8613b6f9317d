#include "apps/mnist_lora/learning_curves.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "apps/mnist_lora/axis.hpp"
#include "apps/mnist_lora/epoch_rows.hpp"
#include "apps/mnist_lora/plot_style.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

/// Adapter and digits: the runs of a sweep share them.
using Kind = std::pair<std::string, std::string>;

Kind kind_of(const Run& run) { return {run.adapter, run.train_digits}; }

/// The kind of which there are most, at least three; else none.
Kind sweep_kind(const std::vector<const Run*>& runs) {
  std::map<Kind, int> counts;
  for (const Run* run : runs) {
    counts[kind_of(*run)] += run->adapter != "none" ? 1 : 0;
  }
  const auto most = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most != counts.end() && most->second >= 3 ? most->first : Kind();
}

/// gnuplot's look of each run's line.
std::vector<std::string> looks(const std::vector<const Run*>& runs) {
  const Kind sweep = sweep_kind(runs);
  const auto in_sweep = [&](const Run* run) { return kind_of(*run) == sweep; };
  const auto swept = std::count_if(runs.begin(), runs.end(), in_sweep);
  double place = 0;
  std::size_t hue = 0;
  std::vector<std::string> out;
  for (const Run* run : runs) {
    if (runs.size() == 1) {
      out.push_back("lc rgb " + kBlue);
    } else if (run->adapter == "none") {
      out.push_back("dt (6,4) lc rgb " + kGrey);
    } else if (in_sweep(run)) {
      out.push_back("lc rgb " + sequential_colour(place++ / static_cast<double>(swept - 1)));
    } else {
      out.push_back("lc rgb " + series_colour(hue++));
    }
  }
  return out;
}

std::string curve_data(const std::vector<const Run*>& runs) {
  std::string out;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    out += "$curve" + std::to_string(i) + " << END_OF_CURVE\n";
    for (const EpochRow& row : runs[i]->epochs) {
      out += std::to_string(row.epoch) + ' ' + exact(row.loss) + ' ' + exact(row.val_accuracy) + '\n';
    }
    out += "END_OF_CURVE\n";
  }
  return out;
}

std::string curves(const std::vector<const Run*>& runs, int column, bool titles) {
  const std::vector<std::string> look = looks(runs);
  std::string out = "plot ";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    out += (i == 0 ? "" : ", ") + std::string("$curve") + std::to_string(i) + " using 1:" + std::to_string(column) +
           " with linespoints pt 7 ps 0.35 lw 2 " + look[i] + (titles ? " title " + quote(runs[i]->name) : " notitle");
  }
  return out + '\n';
}

}  // namespace

bool has_epochs(const Results& results) { return !drawn_runs(results).empty(); }

Figure learning_curves(const Results& results) {
  const std::vector<const Run*> runs = drawn_runs(results);
  Figure figure{"learning_curves",
                "Learning curves",
                runs.size() == 1 ? "Validation is on held-out images of the digits that are trained on"
                                 : "Each run validates on held-out images of the digits that it is trained on",
                "",
                900,
                430,
                "",
                ""};
  for (const Run* run : runs) {
    figure.width = std::max(figure.width, 796 + 9 * static_cast<int>(display_width(run->name)));  // the legend's room
  }
  figure.height = std::max(430, 130 + 24 * static_cast<int>(runs.size()));
  figure.caption = "Mean training loss and validation accuracy after each epoch.";
  figure.data = curve_data(runs);
  const double top = figure.height - 100;
  const std::string panel_end = "unset label\n";
  figure.script = "set multiplot\n" + epoch_axis(runs, 10) + place_axes(figure, {74, 64, 364, top}) + axis_name(figure, 219, "Epoch") +
                  text_at(at_pixel(figure, 74, top + 18), "Training loss", kPanelLook) + log_axis(epoch_range(runs, &EpochRow::loss)) +
                  curves(runs, 2, false) + panel_end + "unset logscale\nset ytics autofreq\n" + place_axes(figure, {424, 64, 720, top}) +
                  axis_name(figure, 572, "Epoch") + text_at(at_pixel(figure, 424, top + 18), "Validation accuracy, %", kPanelLook) +
                  percent_axis(epoch_range(runs, &EpochRow::val_accuracy)) + "set key at " + at_pixel(figure, 738, top + 6) +
                  " left top vertical Left reverse\n" + curves(runs, 3, true) + "unset multiplot\n";
  return figure;
}

}  // namespace mnist_lora
