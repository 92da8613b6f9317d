#pragma once
// The devices that tests run on.

#include <vector>

#include "core/base/device.hpp"
#include "core/base/device_backend.hpp"

namespace lora::test {

inline constexpr Device kCuda{DeviceType::cuda, 0};

/// Those beside the CPU that this build and this machine have: none or kCuda.
inline std::vector<Device> other_devices() { return cuda_available() ? std::vector<Device>{kCuda} : std::vector<Device>{}; }

inline std::vector<Device> devices() { return cuda_available() ? std::vector<Device>{kCpu, kCuda} : std::vector<Device>{kCpu}; }

}  // namespace lora::test
