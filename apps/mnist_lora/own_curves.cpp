#include "apps/mnist_lora/own_curves.hpp"

#include "apps/mnist_lora/axis.hpp"
#include "apps/mnist_lora/epoch_rows.hpp"
#include "apps/mnist_lora/plot_style.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

// Pixels. Panels stand in rows of two.
constexpr std::size_t kColumns = 2;
constexpr double kLeft = 76, kWidth = 326, kGap = 116, kHeight = 150, kRowHeight = 218, kTop = 116;

std::string block(std::size_t i) { return "$own" + std::to_string(i); }

/// Epoch, loss, accuracy, and the accuracy again where the weights were kept.
std::string curve_data(const std::vector<const Run*>& runs) {
  std::string out;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    out += block(i) + " << END_OF_CURVES\n";
    for (const EpochRow& row : runs[i]->epochs) {
      const bool kept = row.epoch == runs[i]->best_epoch;
      out += std::to_string(row.epoch) + ' ' + exact(row.loss) + ' ' + exact(row.val_accuracy) + ' ' +
             (kept ? exact(row.val_accuracy) : "NaN") + '\n';
    }
    out += "END_OF_CURVES\n";
  }
  return out;
}

/// The script of an axis at the left, for the right one.
std::string at_right(std::string axis) {
  for (std::size_t at = axis.find("set y"); at != std::string::npos; at = axis.find("set y", at + 5)) {
    axis.insert(at + 5, "2");
  }
  return axis;
}

std::string panel_title(const Run& run) {
  return run.name + (run.stopped_early ? ": stopped after epoch " + std::to_string(run.epochs.size()) : "");
}

std::string curves(std::size_t i) {
  return "plot " + block(i) + " using 1:2 axes x1y1 with linespoints pt 7 ps 0.35 lw 2 lc rgb " + kBlue + ", " + block(i) +
         " using 1:3 axes x1y2 with linespoints pt 7 ps 0.35 lw 2 lc rgb " + kOrange + ", " + block(i) +
         " using 1:4 axes x1y2 with points pt 6 ps 1.1 lw 2 lc rgb " + kOrange + '\n';
}

/// Axes for the values of these runs.
std::string value_axes(const std::vector<const Run*>& runs) {
  return "unset logscale\n" + log_axis(epoch_range(runs, &EpochRow::loss)) +
         at_right(percent_axis(epoch_range(runs, &EpochRow::val_accuracy)));
}

std::vector<const Run*> adapters_of(const std::vector<const Run*>& runs) {
  std::vector<const Run*> adapters;
  for (const Run* run : runs) {
    if (run->adapter != "none") {
      adapters.push_back(run);
    }
  }
  return adapters;
}

std::string panel(const Figure& figure, const std::vector<const Run*>& runs, std::size_t i) {
  const double left = kLeft + static_cast<double>(i % kColumns) * (kWidth + kGap);
  const double top = figure.height - kTop - static_cast<double>(i / kColumns) * kRowHeight;
  return place_axes(figure, {left, top - kHeight, left + kWidth, top}) +
         text_at(at_pixel(figure, left, top + 16), panel_title(*runs[i]), kPanelLook) +
         value_axes(runs[i]->adapter == "none" ? std::vector<const Run*>{runs[i]} : adapters_of(runs)) + curves(i) + "unset label\n";
}

}  // namespace

Figure own_curves(const Results& results) {
  const std::vector<const Run*> runs = drawn_runs(results);
  const std::size_t rows = (runs.size() + kColumns - 1) / kColumns;
  Figure figure{"own_curves", "Each run by itself", "", "", 900, 0, "", ""};
  figure.subtitle = "Over the epochs. The adapters have equal axes. A ring marks the epoch whose weights were kept";
  figure.caption = "Training loss (blue, left axis, logarithmic) and validation accuracy (orange, right axis) of each run.";
  figure.height = static_cast<int>(kTop + static_cast<double>(rows) * kRowHeight - (kRowHeight - kHeight) + 34);
  figure.data = curve_data(runs);
  const double key = figure.height - 72;
  figure.script = "set multiplot\nset border 11\nset tics nomirror\n" + epoch_axis(runs, 10) +
                  text_at(at_pixel(figure, 16, key), "Training loss (left)", "left " + kSmallFont + " textcolor rgb " + kBlue) +
                  text_at(at_pixel(figure, 176, key), "Validation accuracy, % (right)", "left " + kSmallFont + " textcolor rgb " + kOrange);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    figure.script += panel(figure, runs, i);
  }
  figure.script += "unset multiplot\n";
  return figure;
}

}  // namespace mnist_lora
