#pragma once
// Memory of tensors: a caching allocator for each device and the storage that tensors share.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/base/device.hpp"

namespace lora {

/// Bytes are those asked for by live tensors, rounded up to the allocator's block sizes.
struct MemoryStats {
  std::size_t current_bytes = 0;   ///< in live tensors
  std::size_t peak_bytes = 0;      ///< largest current_bytes since the start or the last reset
  std::size_t reserved_bytes = 0;  ///< held from the system or the device: live and cached
  std::uint64_t allocations = 0;   ///< blocks handed out
  std::uint64_t cache_hits = 0;    ///< of these, blocks that were reused
};

MemoryStats memory_stats(const Device& device = kCpu);

/// Sets peak_bytes to current_bytes.
void reset_peak_memory(const Device& device = kCpu);

/// Gives cached blocks back to the system or the device.
void release_cached_memory(const Device& device = kCpu);

/// Memory shared by a tensor and its views, with the count of in-place changes.
class Storage {
 public:
  /// Uninitialised memory, 64-byte aligned. @throws Error if there is not enough, or no such device
  static std::shared_ptr<Storage> allocate(std::size_t bytes, const Device& device);

  /// Memory owned elsewhere (a mapped file, another library); `release` is called when the last tensor is gone.
  static std::shared_ptr<Storage> adopt(void* data, std::size_t bytes, const Device& device, std::function<void()> release);

  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage();

  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }
  const Device& device() const { return device_; }
  std::uint64_t version() const { return version_.load(std::memory_order_relaxed); }
  /// Called by everything that writes into existing tensors.
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  Storage(void* data, std::size_t bytes, const Device& device) : data_(data), bytes_(bytes), device_(device) {}

  void* data_;
  std::size_t bytes_;
  Device device_;
  std::atomic<std::uint64_t> version_{0};
  std::function<void()> release_;  // empty: the memory is the allocator's
};

/// Uninitialised memory while a kernel runs, 64-byte aligned. It comes from the allocator, so it is reused and counted. Kernels of a
/// device run one after another, so that the one launched last may still be running when its scratch is gone.
class Scratch {
 public:
  /// @throws Error if there is not enough
  explicit Scratch(std::size_t bytes, Device device = {});  // by value: a reference to kCpu would be a symbol that kernels share
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  T* ptr() const {
    return static_cast<T*>(data_);
  }

 private:
  std::size_t bytes_;
  Device device_;
  void* data_;
};

}  // namespace lora
