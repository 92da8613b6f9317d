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

double final_val_accuracy(const Run& run) {
  return run.epochs.empty() ? std::numeric_limits<double>::quiet_NaN() : run.epochs.back().val_accuracy;
}

std::string epoch_log(const Results& results) {
  std::string out = "run,epoch,loss,lr,val_accuracy,seconds\n";
  for (const Run& run : results.runs) {
    for (const EpochRow& row : run.epochs) {
      out += run.name + ',' + std::to_string(row.epoch);
      for (const double value : {row.loss, row.lr, row.val_accuracy, row.seconds}) {
        out += ',' + exact(value);
      }
      out += '\n';
    }
  }
  return out;
}

}  // namespace mnist_lora
