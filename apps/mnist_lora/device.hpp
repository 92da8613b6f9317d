#pragma once
// --device and --threads, applied; and what results say of the machine.

#include <string>

#include "apps/mnist_lora/options.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

/// @throws lora::Error if the device is not in this build
void apply_device(const CommonOptions& options);

/// Results without runs: command, version, device, threads, seed.
Results describe_results(const std::string& command, const CommonOptions& options);

}  // namespace mnist_lora
