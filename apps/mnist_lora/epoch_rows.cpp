#include "apps/mnist_lora/epoch_rows.hpp"

#include <algorithm>

#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

std::vector<const Run*> drawn_runs(const Results& results) {
  std::vector<const Run*> runs;
  for (const Run& run : results.runs) {
    if (!run.epochs.empty()) {
      runs.push_back(&run);
    }
  }
  return runs;
}

Range epoch_range(const std::vector<const Run*>& runs, double EpochRow::*value) {
  std::vector<double> values;
  for (const Run* run : runs) {
    for (const EpochRow& row : run->epochs) {
      values.push_back(row.*value);
    }
  }
  return range_of(values);
}

std::string epoch_axis(const std::vector<const Run*>& runs, int most) {
  int last = 1;
  for (const Run* run : runs) {
    last = std::max(last, run->epochs.back().epoch);
  }
  const int step = std::max(1, (last + most - 1) / most);
  return "set xrange [0.6:" + exact(last + 0.4) + "]\nset xtics " + std::to_string(step) + ',' + std::to_string(step) + '\n';
}

}  // namespace mnist_lora
