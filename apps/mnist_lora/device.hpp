#pragma once
// --device, --dtype and --threads, applied; and what results say of the machine.

#include <string>

#include "apps/mnist_lora/options.hpp"
#include "apps/mnist_lora/results.hpp"
#include "core/base/device.hpp"
#include "core/base/dtype.hpp"

namespace mnist_lora {

/// What --device says: `auto` is a GPU where there is one, else the CPU. @throws lora::Error if there is no such device
lora::Device device_of(const CommonOptions& options);

/// What --dtype says: for lora::Autocast.
lora::DType dtype_of(const CommonOptions& options);

/// @throws lora::Error if there is no such device
void apply_device(const CommonOptions& options);

/// Results without runs: command, version, device, dtype, threads, seed.
Results describe_results(const std::string& command, const CommonOptions& options);

}  // namespace mnist_lora
