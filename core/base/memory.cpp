#include "core/base/memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/sanitizers.hpp"

namespace lora {
namespace {

constexpr bool kCaching = !kAddressSanitizer;  // it sees overflows and late uses of blocks that are exact and fresh only

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr int kLinearClasses = 16;  // 64, 128, .. 1024 bytes
constexpr int kStepsAnOctave = 8;   // above: steps of 6 to 12.5 %
constexpr int kFirstOctave = 10;    // log2 of the largest linear class
constexpr int kOctaves = 62 - kFirstOctave;
constexpr std::size_t kMaxBytes = std::size_t{1} << 62;

struct SizeClass {
  std::size_t index;
  std::size_t bytes;
};

/// The smallest block size that holds `bytes` (at most kMaxBytes).
constexpr SizeClass size_class(std::size_t bytes) {
  const std::size_t lines = std::max<std::size_t>(1, (bytes + kLine - 1) / kLine);
  if (lines <= kLinearClasses) {
    return {lines - 1, lines * kLine};
  }
  const int octave = static_cast<int>(std::bit_width(bytes - 1)) - 1;  // 2^octave < bytes <= 2^(octave + 1)
  const std::size_t step = (std::size_t{1} << octave) / kStepsAnOctave;
  const std::size_t steps = (bytes - 1) / step + 1;  // kStepsAnOctave + 1 .. 2 kStepsAnOctave
  const auto first = static_cast<std::size_t>(kLinearClasses + (octave - kFirstOctave) * kStepsAnOctave);
  return {first + steps - kStepsAnOctave - 1, steps * step};
}

constexpr std::size_t kClasses = kLinearClasses + kOctaves * kStepsAnOctave;
static_assert(size_class(kMaxBytes).index < kClasses);
static_assert(size_class(1024).index + 1 == size_class(1025).index && size_class(2048).index + 1 == size_class(2049).index);

/// Memory from the system, or null. Large blocks get huge pages: a page fault for every 4 KiB would cost more than filling them.
void* system_block(std::size_t bytes) {
  void* block = nullptr;
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
  if (posix_memalign(&block, alignment, bytes) != 0) {
    return nullptr;
  }
  if (kCaching && bytes >= kHugePage) {
    madvise(block, bytes, MADV_HUGEPAGE);  // a wish: without it the block is slower, not wrong
  }
  return block;
}

/// Keeps freed blocks in a list for each size class and hands them out again.
class Cache {
 public:
  void* allocate(std::size_t bytes) {
    if (bytes <= kMaxBytes) {
      const SizeClass size = size_class(bytes);
      const std::lock_guard lock(mutex_);
      if (void* block = take(size, bytes); block != nullptr) {
        ++stats_.allocations;
        stats_.current_bytes += size.bytes;
        stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
        return block;
      }
    }
    fail("memory", "cpu: not enough memory for ", bytes, " bytes, ", stats().current_bytes,
         " bytes are in use by tensors; use smaller batches or drop tensors that are not needed");
  }

  void free(void* block, std::size_t bytes) noexcept {
    const SizeClass size = size_class(bytes);
    const std::lock_guard lock(mutex_);
    stats_.current_bytes -= size.bytes;
    if (!kCaching) {
      stats_.reserved_bytes -= size.bytes;
      std::free(block);
      return;
    }
    free_[size.index] = new (block) FreeBlock{free_[size.index]};
  }

  MemoryStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.current_bytes;
  }

  void release() {
    const std::lock_guard lock(mutex_);
    release_locked();
  }

 private:
  struct FreeBlock {
    FreeBlock* next;
  };

  void* take(const SizeClass& size, std::size_t bytes) {
    if (FreeBlock* head = free_[size.index]; head != nullptr) {
      free_[size.index] = head->next;
      ++stats_.cache_hits;
      return head;
    }
    const std::size_t wanted = kCaching ? size.bytes : std::max<std::size_t>(bytes, 1);
    void* block = system_block(wanted);
    if (block == nullptr) {
      release_locked();
      block = system_block(wanted);
    }
    stats_.reserved_bytes += block != nullptr ? size.bytes : 0;
    return block;
  }

  void release_locked() {
    for (FreeBlock*& head : free_) {
      while (head != nullptr) {
        std::free(std::exchange(head, head->next));
      }
    }
    stats_.reserved_bytes = stats_.current_bytes;
  }

  std::mutex mutex_;
  std::array<FreeBlock*, kClasses> free_{};
  MemoryStats stats_;
};

/// Never destroyed: tensors in static variables may be freed after everything else.
Cache& cache() {
  static Cache& instance = *new Cache;
  return instance;
}

Cache& cache_of(const Device& device) {
  require(device.type == DeviceType::cpu, "memory", device, ": this build of lora_core has no CUDA kernels; use cpu");
  return cache();
}

}  // namespace

MemoryStats memory_stats(const Device& device) { return cache_of(device).stats(); }

void reset_peak_memory(const Device& device) { cache_of(device).reset_peak(); }

void release_cached_memory(const Device& device) { cache_of(device).release(); }

std::shared_ptr<Storage> Storage::allocate(std::size_t bytes, const Device& device) {
  struct Shared : Storage {  // opens the constructor to make_shared: one allocation for the object and its count
    Shared(void* data, std::size_t size, const Device& place) : Storage(data, size, place) {}
  };
  void* data = cache_of(device).allocate(bytes);
  try {
    return std::make_shared<Shared>(data, bytes, device);
  } catch (...) {
    cache().free(data, bytes);
    throw;
  }
}

std::shared_ptr<Storage> Storage::adopt(void* data, std::size_t bytes, const Device& device, std::function<void()> release) {
  std::unique_ptr<Storage> adopted(new Storage(data, bytes, device));
  adopted->release_ = [] {};  // an error from here on leaves the memory to its owner
  std::shared_ptr<Storage> storage(std::move(adopted));
  if (release) {
    storage->release_ = std::move(release);
  }
  return storage;
}

Storage::~Storage() {
  if (!release_) {
    cache().free(data_, bytes_);
    return;
  }
  try {
    release_();
  } catch (...) {  // a destructor must not throw
    std::fprintf(stderr, "[memory] releasing %zu adopted bytes at %p threw an exception\n", bytes_, data_);
  }
}

Scratch::Scratch(std::size_t bytes) : bytes_(bytes), data_(cache().allocate(bytes)) {}

Scratch::~Scratch() { cache().free(data_, bytes_); }

}  // namespace lora
