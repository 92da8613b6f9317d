#pragma once
// report.html of the comparison.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "apps/mnist_lora/report.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/write_report.hpp"

namespace mnist_lora {

/// What the results do not say.
struct CompareStory {
  std::string model = "cnn";
  std::int64_t limit = 0;                                     ///< training images at most; 0: all
  std::vector<std::pair<std::string, std::string>> settings;  ///< more of them: command line, data set, optimizer
};

/// One line a run: parameters, accuracy, time and memory.
ReportTable methods_table(const Results& results);

/// The page without figures.
Report compare_report(const Results& results, const CompareStory& story);

/// Draws the figures and writes the page: see write_report().
WrittenReport write_compare_report(const std::filesystem::path& out, const Results& results, const CompareStory& story,
                                   const std::string& gnuplot = "gnuplot");

}  // namespace mnist_lora
