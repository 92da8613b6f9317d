#pragma once
// report.html of the digit-split experiment.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "apps/mnist_lora/digit_grid.hpp"
#include "apps/mnist_lora/published.hpp"
#include "apps/mnist_lora/report.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/write_report.hpp"

namespace mnist_lora {

/// What the results do not say.
struct DigitsStory {
  std::string base_digits = "0-4";
  std::string tuned = "5-9";
  Published published;
  std::string published_note;                                 ///< where the published numbers come from: a footnote
  std::vector<GridDigit> grid;                                ///< test images to show
  std::string grid_run;                                       ///< the run that `adapted` of the grid is by; empty: best_run
  std::vector<std::pair<std::string, std::string>> settings;  ///< more of them: command line, data set, optimizer
};

/// The adapter with the best test accuracy on its `tuned` digits, the least rank among equals; null without adapters.
const Run* best_run(const Results& results, const std::string& tuned);

/// The page without figures.
Report digits_report(const Results& results, const DigitsStory& story);

/// Draws the figures and writes the page: see write_report().
WrittenReport write_digits_report(const std::filesystem::path& out, const Results& results, const DigitsStory& story,
                                  const std::string& gnuplot = "gnuplot");

}  // namespace mnist_lora
