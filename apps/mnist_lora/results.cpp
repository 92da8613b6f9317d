#include "apps/mnist_lora/results.hpp"

#include <limits>

#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

const TestRow* find_test(const Run& run, std::string_view digits, bool enabled) {
  for (const TestRow& row : run.test) {
    if (row.digits == digits && row.enabled == enabled) {
      return &row;
    }
  }
  return nullptr;
}

double test_accuracy(const Run& run, std::string_view digits, bool enabled) {
  const TestRow* row = find_test(run, digits, enabled);
  return row != nullptr ? row->accuracy : std::numeric_limits<double>::quiet_NaN();
}

const Run* base_run(const Results& results) {
  for (const Run& run : results.runs) {
    if (run.adapter == "none") {
      return &run;
    }
  }
  return nullptr;
}

std::uint64_t frozen_bytes(const Run& run) { return run.weight_bytes - 4 * static_cast<std::uint64_t>(run.parameters.added); }

double best_val_accuracy(const Run& run) {
  double best = std::numeric_limits<double>::quiet_NaN();
  for (const EpochRow& row : run.epochs) {
    if (row.epoch == run.best_epoch) {  // not always the highest: epochs before ranks were settled do not count
      return row.val_accuracy;
    }
    best = row.val_accuracy <= best ? best : row.val_accuracy;
  }
  return best;
}

}  // namespace mnist_lora
