#pragma once
// report.html of the tuning of single digits.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "apps/mnist_lora/layers_table.hpp"
#include "apps/mnist_lora/report.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/run_plan.hpp"
#include "apps/mnist_lora/write_report.hpp"

namespace mnist_lora {

/// What the results do not say.
struct FinetuneStory {
  std::string model = "vgg";
  std::string tuned = "3,6,8";
  std::int64_t limit = 0;                                     ///< training images; 0: all
  std::vector<RunPlan> plans;                                 ///< of the runs, in their order
  ReportTable layers;                                         ///< of the first adapter
  std::vector<std::pair<std::string, std::string>> settings;  ///< more of them: command line, data set, optimizer
};

/// Per cent of the base's wrong test images of the tuned digits that are right with the adapter; NaN where that says nothing.
double error_reduction(const Run& run, const std::string& tuned);

/// Errors by digit, the adapter disabled and enabled, with sums.
ReportTable enabled_table(const Results& results, const FinetuneStory& story);

/// The page without figures.
Report finetune_report(const Results& results, const FinetuneStory& story);

/// Draws the figures and writes the page: see write_report().
WrittenReport write_finetune_report(const std::filesystem::path& out, const Results& results, const FinetuneStory& story,
                                    const std::string& gnuplot = "gnuplot");

}  // namespace mnist_lora
