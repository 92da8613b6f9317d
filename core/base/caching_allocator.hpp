#pragma once
// An allocator that keeps freed blocks for the next use, over any source of blocks. It never touches the memory itself.

#include <array>
#include <mutex>
#include <vector>

#include "core/base/memory.hpp"
#include "core/base/sanitizers.hpp"

namespace lora::detail {

/// Where an allocator has its blocks from.
struct BlockSource {
  /// A block of at least `bytes` (never 0), or null where there is not enough memory.
  void* (*allocate)(std::size_t bytes);
  void (*free)(void* block) noexcept;
};

/// A sanitizer sees overflows and late uses of blocks that are exact and fresh only.
inline constexpr bool kCaching = !kAddressSanitizer;

/// Freed blocks wait in a list for each size class. Safe to use from any thread.
class CachingAllocator {
 public:
  CachingAllocator(const Device& device, const BlockSource& source) : device_(device), source_(source) {}

  /// @throws Error if there is not enough memory, even after cached blocks were given back
  void* allocate(std::size_t bytes);
  /// @param bytes  what allocate() was asked for
  void free(void* block, std::size_t bytes) noexcept;
  MemoryStats stats();
  void reset_peak();
  /// Gives cached blocks back to the source.
  void release();

 private:
  struct SizeClass {
    std::size_t index;
    std::size_t bytes;
  };

  static constexpr std::size_t kLine = 64;
  static constexpr int kLinearClasses = 16;  // 64, 128, .. 1024 bytes
  static constexpr int kStepsAnOctave = 8;   // above: steps of 6 to 12.5 %
  static constexpr int kFirstOctave = 10;    // log2 of the largest linear class
  static constexpr int kOctaves = 62 - kFirstOctave;
  static constexpr std::size_t kClasses = kLinearClasses + kOctaves * kStepsAnOctave;
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 62;

  /// The smallest block size that holds `bytes` (at most kMaxBytes).
  static constexpr SizeClass size_class(std::size_t bytes);
  void* take(const SizeClass& size, std::size_t bytes);
  void release_locked() noexcept;

  Device device_;
  BlockSource source_;
  std::mutex mutex_;
  std::array<std::vector<void*>, kClasses> free_;
  MemoryStats stats_;
};

}  // namespace lora::detail
