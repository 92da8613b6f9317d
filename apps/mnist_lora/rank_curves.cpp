#include "apps/mnist_lora/rank_curves.hpp"

#include <algorithm>

#include "apps/mnist_lora/plot_style.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

constexpr double kLeft = 64, kRight = 880, kGap = 48, kBottom = 64, kKeyWidth = 110;

std::vector<const Run*> ranked_runs(const Results& results) {
  std::vector<const Run*> runs;
  for (const Run& run : results.runs) {
    if (!run.ranks.empty()) {
      runs.push_back(&run);
    }
  }
  return runs;
}

/// Each layer once, in the order of the model.
std::vector<std::string> layers_of(const std::vector<const Run*>& runs) {
  std::vector<std::string> layers;
  for (const Run* run : runs) {
    for (const RankRow& row : run->ranks) {
      if (std::find(layers.begin(), layers.end(), row.layer) == layers.end()) {
        layers.push_back(row.layer);
      }
    }
  }
  return layers;
}

std::string block(std::size_t run, std::size_t layer) { return "$rank" + std::to_string(run) + '_' + std::to_string(layer); }

std::string rank_data(const std::vector<const Run*>& runs, const std::vector<std::string>& layers) {
  std::string out;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    for (std::size_t l = 0; l < layers.size(); ++l) {
      out += block(r, l) + " << END_OF_RANKS\n";
      for (const RankRow& row : runs[r]->ranks) {
        out += row.layer == layers[l] ? std::to_string(row.epoch) + ' ' + std::to_string(row.rank) + '\n' : "";
      }
      out += "END_OF_RANKS\n";
    }
  }
  return out;
}

struct Extent {
  int first = 1, last = 1, highest = 1;
};

Extent extent_of(const std::vector<const Run*>& runs) {
  Extent extent{runs.front()->ranks.front().epoch, 1, 1};
  for (const Run* run : runs) {
    extent.highest = std::max(extent.highest, run->rank);
    for (const RankRow& row : run->ranks) {
      extent = {std::min(extent.first, row.epoch), std::max(extent.last, row.epoch), std::max(extent.highest, row.rank)};
    }
  }
  return extent;
}

std::string axes(const Extent& extent) {
  const int step = std::max(1, (extent.last - extent.first + 9) / 10);
  const int rank_step = std::max(1, (extent.highest + 7) / 8);
  return "set xrange [" + exact(extent.first - 0.4) + ':' + exact(extent.last + 0.4) + "]\nset xtics " + std::to_string(extent.first) +
         ',' + std::to_string(step) + "\nset yrange [0:" + exact(extent.highest * 1.08) + "]\nset ytics 0," + std::to_string(rank_step) +
         '\n';
}

/// Curves a little apart where they are equal, so that none hides another.
std::string curves(std::size_t run, const std::vector<std::string>& layers, int target, double apart, bool key) {
  std::string out = "plot " + std::to_string(target) + " with lines dt (6,4) lw 1.5 lc rgb " + kGrey +
                    (key ? " title " + quote("rank " + std::to_string(target)) : " notitle");
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const double shift = apart * (static_cast<double>(l) - 0.5 * static_cast<double>(layers.size() - 1));
    out += ", " + block(run, l) + " using 1:($2+(" + exact(shift) + ")) with linespoints pt 7 ps 0.5 lw 2 lc rgb " + series_colour(l) +
           (key ? " title " + quote(layers[l]) : " notitle");
  }
  return out + '\n';
}

}  // namespace

bool has_ranks(const Results& results) { return !ranked_runs(results).empty(); }

Figure rank_curves(const Results& results) {
  const std::vector<const Run*> runs = ranked_runs(results);
  const std::vector<std::string> layers = layers_of(runs);
  Figure figure{"ranks", "Ranks over time", "", "", 900, 400, "", ""};
  figure.subtitle = "Rank of each layer after each epoch; dashed: the rank that is asked for on average, and that the others have";
  figure.caption = "Rank of each layer after each epoch, by the methods that share ranks out themselves.";
  figure.height = std::max(400, 150 + 24 * static_cast<int>(layers.size()));
  figure.data = rank_data(runs, layers);
  const double panels = static_cast<double>(runs.size());
  const double width = (kRight - kKeyWidth - kLeft - kGap * (panels - 1)) / panels;
  const double top = figure.height - 100;
  const Extent extent = extent_of(runs);
  const double apart = 3 * extent.highest / (top - kBottom);  // three pixels
  figure.script = "set multiplot\n" + axes(extent);
  for (std::size_t r = 0; r < runs.size(); ++r) {
    const double left = kLeft + static_cast<double>(r) * (width + kGap);
    const bool last = r + 1 == runs.size();
    figure.script += place_axes(figure, {left, kBottom, left + width, top}) +
                     text_at(at_pixel(figure, left, top + 18), runs[r]->name, kPanelLook) + axis_name(figure, left + width / 2, "Epoch") +
                     "set key at " + at_pixel(figure, left + width + 18, top + 6) + " left top vertical Left reverse\n" +
                     curves(r, layers, runs[r]->rank, apart, last) + "unset label\n";
  }
  figure.script += "unset multiplot\n";
  return figure;
}

}  // namespace mnist_lora
