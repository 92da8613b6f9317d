#pragma once
// A report with its figures, as files.

#include <filesystem>
#include <string>
#include <vector>

#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/report.hpp"

namespace mnist_lora {

struct WrittenReport {
  Report report;       ///< with its figures
  std::string notice;  ///< for the terminal: why there are no figures; empty if all is well
};

/// Draws the figures into OUT/plots and writes OUT/report.html. Without a working gnuplot the page has a notice in place of figures.
/// @throws lora::Error if the page cannot be written
WrittenReport write_report(const std::filesystem::path& out, Report report, const std::vector<Figure>& figures,
                           const std::string& gnuplot = "gnuplot");

}  // namespace mnist_lora
