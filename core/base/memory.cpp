#include "core/base/memory.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "core/base/caching_allocator.hpp"
#include "core/base/device_backend.hpp"
#include "core/base/error.hpp"

namespace lora {
namespace {

using detail::CachingAllocator;

constexpr std::size_t kLine = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// Memory from the system, or null. Large blocks get huge pages: a page fault for every 4 KiB would cost more than filling them.
void* system_block(std::size_t bytes) {
  void* block = nullptr;
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : kLine;
  if (posix_memalign(&block, alignment, bytes) != 0) {
    return nullptr;
  }
  if (detail::kCaching && bytes >= kHugePage) {
    madvise(block, bytes, MADV_HUGEPAGE);  // a wish: without it the block is slower, not wrong
  }
  return block;
}

void free_system_block(void* block) noexcept { std::free(block); }

// Allocators are never destroyed: tensors in static variables may be freed after everything else.

CachingAllocator& cpu_allocator() {
  static CachingAllocator& instance = *new CachingAllocator(kCpu, {system_block, free_system_block});
  return instance;
}

CachingAllocator& cuda_allocator() {
  static CachingAllocator& instance = *new CachingAllocator({DeviceType::cuda, 0}, {cuda_backend().allocate, cuda_backend().free});
  return instance;
}

/// @throws Error if there is no such device
CachingAllocator& allocator_of(const Device& device) {
  if (device.type == DeviceType::cpu) {
    return cpu_allocator();
  }
  require(device.index == 0, "memory", device, ": tensors live on cuda:0 alone; choose another GPU with CUDA_VISIBLE_DEVICES");
  return cuda_allocator();
}

}  // namespace

MemoryStats memory_stats(const Device& device) { return allocator_of(device).stats(); }

void reset_peak_memory(const Device& device) { allocator_of(device).reset_peak(); }

void release_cached_memory(const Device& device) { allocator_of(device).release(); }

std::shared_ptr<Storage> Storage::allocate(std::size_t bytes, const Device& device) {
  struct Shared : Storage {  // opens the constructor to make_shared: one allocation for the object and its count
    Shared(void* data, std::size_t size, const Device& place) : Storage(data, size, place) {}
  };
  void* data = allocator_of(device).allocate(bytes);
  try {
    return std::make_shared<Shared>(data, bytes, device);
  } catch (...) {
    allocator_of(device).free(data, bytes);
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
    allocator_of(device_).free(data_, bytes_);
    return;
  }
  try {
    release_();
  } catch (...) {  // a destructor must not throw
    std::fprintf(stderr, "[memory] releasing %zu adopted bytes at %p threw an exception\n", bytes_, data_);
  }
}

Scratch::Scratch(std::size_t bytes, Device device) : bytes_(bytes), device_(device), data_(allocator_of(device).allocate(bytes)) {}

Scratch::~Scratch() { allocator_of(device_).free(data_, bytes_); }

}  // namespace lora
