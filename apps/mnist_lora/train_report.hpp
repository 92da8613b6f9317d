#pragma once
// report.html of one training.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "apps/mnist_lora/digit_grid.hpp"
#include "apps/mnist_lora/report.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/write_report.hpp"

namespace mnist_lora {

/// What the results do not say.
struct TrainStory {
  std::string model;
  std::string weights;                                        ///< that training began with; empty: from scratch
  std::vector<GridDigit> grid;                                ///< test images to show; may be empty
  std::vector<std::pair<std::string, std::string>> settings;  ///< more of them: command line, data set, optimizer
};

/// The page of results with one run, without figures.
Report train_report(const Results& results, const TrainStory& story);

/// Draws the figures and writes the page: see write_report().
WrittenReport write_train_report(const std::filesystem::path& out, const Results& results, const TrainStory& story,
                                 const std::string& gnuplot = "gnuplot");

}  // namespace mnist_lora
