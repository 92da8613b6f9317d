#include "core/base/caching_allocator.hpp"

#include <algorithm>
#include <bit>
#include <new>

#include "core/base/error.hpp"

namespace lora::detail {

constexpr CachingAllocator::SizeClass CachingAllocator::size_class(std::size_t bytes) {
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

void* CachingAllocator::allocate(std::size_t bytes) {
  static_assert(size_class(kMaxBytes).index < kClasses);
  static_assert(size_class(1024).index + 1 == size_class(1025).index && size_class(2048).index + 1 == size_class(2049).index);
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
  fail("memory", device_, ": not enough memory for ", bytes, " bytes, ", stats().current_bytes,
       " bytes are in use by tensors; use smaller batches or drop tensors that are not needed");
}

void* CachingAllocator::take(const SizeClass& size, std::size_t bytes) {
  if (std::vector<void*>& blocks = free_[size.index]; !blocks.empty()) {
    void* block = blocks.back();
    blocks.pop_back();
    ++stats_.cache_hits;
    return block;
  }
  const std::size_t wanted = kCaching ? size.bytes : std::max<std::size_t>(bytes, 1);
  void* block = source_.allocate(wanted);
  if (block == nullptr) {
    release_locked();
    block = source_.allocate(wanted);
  }
  stats_.reserved_bytes += block != nullptr ? size.bytes : 0;
  return block;
}

void CachingAllocator::free(void* block, std::size_t bytes) noexcept {
  const SizeClass size = size_class(bytes);
  const std::lock_guard lock(mutex_);
  stats_.current_bytes -= size.bytes;
  if (kCaching) {
    try {
      free_[size.index].push_back(block);
      return;
    } catch (const std::bad_alloc&) {  // no memory to remember it in
    }
  }
  stats_.reserved_bytes -= size.bytes;
  source_.free(block);
}

MemoryStats CachingAllocator::stats() {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void CachingAllocator::reset_peak() {
  const std::lock_guard lock(mutex_);
  stats_.peak_bytes = stats_.current_bytes;
}

void CachingAllocator::release() {
  const std::lock_guard lock(mutex_);
  release_locked();
}

void CachingAllocator::release_locked() noexcept {
  for (std::vector<void*>& blocks : free_) {
    for (void* block : blocks) {
      source_.free(block);
    }
    blocks.clear();
  }
  stats_.reserved_bytes = stats_.current_bytes;
}

}  // namespace lora::detail
