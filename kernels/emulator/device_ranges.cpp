#include "kernels/emulator/device_ranges.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <shared_mutex>

#include "core/base/error.hpp"

namespace lora::simt {

namespace {

struct Ranges {
  std::shared_mutex mutex;
  std::map<std::uintptr_t, std::size_t> bytes_by_begin;
};

Ranges& ranges() {
  static Ranges* const all = new Ranges;  // memory is freed until the very end of the program
  return *all;
}

std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

}  // namespace

void add_device_range(const void* begin, std::size_t bytes) {
  const std::unique_lock lock(ranges().mutex);
  ranges().bytes_by_begin[address(begin)] = bytes;
}

void remove_device_range(const void* begin) {
  const std::unique_lock lock(ranges().mutex);
  require(ranges().bytes_by_begin.erase(address(begin)) == 1, "emulator", "no device memory begins at ", begin,
          "; free what was allocated, once");
}

bool is_device(const void* p, std::size_t bytes) {
  const std::shared_lock lock(ranges().mutex);
  const auto& all = ranges().bytes_by_begin;
  auto next = all.upper_bound(address(p));
  if (p == nullptr || next == all.begin()) {
    return false;
  }
  const auto& [begin, size] = *--next;
  return address(p) - begin <= size && bytes <= size - (address(p) - begin);
}

}  // namespace lora::simt
