#pragma once
// Which memory is a device's: the run time shim says so, launches and copies ask.

#include <cstddef>

namespace lora::simt {

void add_device_range(const void* begin, std::size_t bytes);
/// @param begin  of a range that was added
void remove_device_range(const void* begin);
/// Whether one range holds all these bytes. Null is no device memory.
bool is_device(const void* p, std::size_t bytes);

}  // namespace lora::simt
