#pragma once
// What the library needs of a device besides its kernels: memory, and the way there and back. kernels/cuda has that of CUDA; a build
// without it has one that says so.

#include <cstddef>

namespace lora {

/// Functions of one device. All are safe to call from any thread. Copies follow the kernels launched before them.
struct DeviceBackend {
  /// Memory aligned to 256 bytes, or null where there is not enough.
  void* (*allocate)(std::size_t bytes);
  void (*free)(void* block) noexcept;
  /// Host to device; `from` may be changed as soon as it returns.
  void (*upload)(void* to, const void* from, std::size_t bytes);
  /// Device to host; waits until all of it is there.
  void (*download)(void* to, const void* from, std::size_t bytes);
  /// Waits for all kernels and copies.
  void (*synchronize)();
};

/// @throws Error if this build has no CUDA, or the machine no driver or device, and what to do
const DeviceBackend& cuda_backend();

/// Whether cuda_backend() would succeed.
bool cuda_available();

}  // namespace lora
