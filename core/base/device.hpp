#pragma once
// Where a tensor lives.

#include <ostream>
#include <string_view>

#include "core/base/error.hpp"

namespace lora {

enum class DeviceType { cpu, cuda };

struct Device {
  DeviceType type = DeviceType::cpu;
  int index = 0;
  friend bool operator==(const Device&, const Device&) = default;
};

inline constexpr Device kCpu{};

/// Prints `cpu` or `cuda:0`.
inline std::ostream& operator<<(std::ostream& out, const Device& device) {
  return device.type == DeviceType::cpu ? out << "cpu" : out << "cuda:" << device.index;
}

}  // namespace lora
