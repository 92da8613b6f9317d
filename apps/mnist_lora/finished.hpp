#pragma once
// An experiment that is done: what it measured and wrote, and what it says of that.

#include <string>

#include "apps/mnist_lora/options.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/write_report.hpp"

namespace mnist_lora {

struct FinishedExperiment {
  Results results;
  std::string tuned;  ///< digits of the first accuracy column of a summary
  WrittenReport report;
};

/// Forgets what --resume would need, and says on stdout what was asked for: JSON, or a table with the report's path and then `more`, or
/// nothing. A notice of the report goes to stderr.
void say_finished(const CommonOptions& options, const FinishedExperiment& finished, const std::string& more = "");

}  // namespace mnist_lora
