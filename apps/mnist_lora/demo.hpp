#pragma once
// All experiments in one go, sized for minutes, with one report.

#include <cstdint>
#include <optional>
#include <string>

#include "apps/mnist_lora/options.hpp"

namespace mnist_lora {

/// Images that the convolutional networks are trained on, unless --limit says otherwise.
inline constexpr std::int64_t kDemoLimit = 10000;

struct DemoOptions {
  CommonOptions common;  ///< epochs, patience and limit are not read
  // Of every experiment; where they are not given, each has its own.
  std::optional<int> epochs, patience;
  std::optional<std::int64_t> limit;
  std::string command_line;  ///< for the report
};

/// Runs each experiment in a folder of OUT by its name, which has all that the command alone writes; then OUT gets one report and the
/// results of all runs. @throws lora::Error, or Interrupted
void run_demo(const DemoOptions& options);

}  // namespace mnist_lora
