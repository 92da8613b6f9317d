#pragma once
// The tables of a report, made from the results of any experiment.

#include <string>
#include <utility>
#include <vector>

#include "apps/mnist_lora/published.hpp"
#include "apps/mnist_lora/report.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

/// One line a run: size, validation, test accuracy on the tuned digits, the others and all with adapters enabled, and on all without them.
/// The best of several adapters is marked in each column. `published` values get a column if there are any.
ReportTable runs_table(const Results& results, const std::string& tuned, const Published& published);

/// Errors on all test images by digit, one line a run, adapters enabled.
ReportTable errors_table(const Results& results);

/// Memory and time of each run.
ReportTable cost_table(const Results& results);

/// Seed, threads, device, version, time and memory, and what the caller adds (command line, data).
std::vector<std::pair<std::string, std::string>> settings_of(const Results& results,
                                                             const std::vector<std::pair<std::string, std::string>>& more);

}  // namespace mnist_lora
