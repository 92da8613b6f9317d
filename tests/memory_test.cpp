#include "core/base/memory.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/base/caching_allocator.hpp"
#include "core/base/device_backend.hpp"
#include "core/base/error.hpp"
#include "core/base/sanitizers.hpp"

using lora::kCpu;
using lora::memory_stats;
using lora::Storage;

namespace {

constexpr bool kCaching = !lora::kAddressSanitizer;  // blocks come straight from the system, so that overflows are seen

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSizes[] = {
    0, 1, 63, 64, 65, 1000, 1024, 1025, 1152, 1153, 2048, 2049, 200704, kHugePage - 1, kHugePage, kHugePage + 1, 13000000};

constexpr bool kRefusable = !lora::kAddressSanitizer && !lora::kThreadSanitizer;  // they end the process instead

const lora::Device kCuda{lora::DeviceType::cuda, 0};

/// Block bytes of a tensor of `bytes`.
std::size_t block_bytes(std::size_t bytes) {
  const std::size_t before = memory_stats().current_bytes;
  const auto storage = Storage::allocate(bytes, kCpu);
  return memory_stats().current_bytes - before;
}

}  // namespace

TEST_CASE("memory: blocks hold what was asked for, are aligned and waste little", "[memory]") {
  const std::size_t bytes = GENERATE(from_range(std::begin(kSizes), std::end(kSizes)));
  CAPTURE(bytes);
  const std::size_t before = memory_stats().current_bytes;
  const auto storage = Storage::allocate(bytes, kCpu);
  const std::size_t block = memory_stats().current_bytes - before;
  CHECK(storage->bytes() == bytes);
  CHECK(storage->device() == kCpu);
  CHECK(block >= std::max<std::size_t>(bytes, 1));
  CHECK(block <= bytes + std::max<std::size_t>(64, bytes / 8));
  CHECK(block % 64 == 0);
  CHECK(reinterpret_cast<std::uintptr_t>(storage->data()) % (kCaching && block >= kHugePage ? kHugePage : 64) == 0);
  std::memset(storage->data(), 1, bytes);
}

TEST_CASE("memory: block sizes grow with the size asked for", "[memory]") {
  std::size_t last = 0;
  for (std::size_t bytes = 1; bytes < 70000; bytes += 17) {
    const std::size_t block = block_bytes(bytes);
    REQUIRE(block >= bytes);
    REQUIRE(block >= last);
    last = block;
  }
}

TEST_CASE("memory: statistics count live blocks and their peak", "[memory]") {
  lora::reset_peak_memory();
  const lora::MemoryStats before = memory_stats();
  CHECK(before.peak_bytes == before.current_bytes);
  auto a = Storage::allocate(1000, kCpu);
  auto b = Storage::allocate(5000, kCpu);
  const std::size_t both = 1024 + 5120;
  CHECK(memory_stats().current_bytes == before.current_bytes + both);
  CHECK(memory_stats().allocations == before.allocations + 2);
  a.reset();
  b.reset();
  CHECK(memory_stats().current_bytes == before.current_bytes);
  CHECK(memory_stats().peak_bytes == before.current_bytes + both);
  CHECK(memory_stats().reserved_bytes >= memory_stats().current_bytes);
  lora::reset_peak_memory();
  CHECK(memory_stats().peak_bytes == before.current_bytes);
}

TEST_CASE("memory: freed blocks are used again until the cache is released", "[memory]") {
  if (!kCaching) {
    return;
  }
  lora::release_cached_memory();
  CHECK(memory_stats().reserved_bytes == memory_stats().current_bytes);
  const std::size_t bytes = GENERATE(std::size_t{100}, std::size_t{3} << 20);
  void* first = Storage::allocate(bytes, kCpu)->data();
  const std::uint64_t hits = memory_stats().cache_hits;
  CHECK(Storage::allocate(bytes - 1, kCpu)->data() == first);
  CHECK(memory_stats().cache_hits == hits + 1);
  CHECK(memory_stats().reserved_bytes > memory_stats().current_bytes);
  lora::release_cached_memory();
  CHECK(memory_stats().reserved_bytes == memory_stats().current_bytes);
}

TEST_CASE("memory: live blocks never overlap", "[memory]") {
  std::vector<std::shared_ptr<Storage>> live;
  for (std::size_t i = 0; i < 300; ++i) {
    live.push_back(Storage::allocate(1 + i * 7 % 400, kCpu));
    std::memset(live.back()->data(), static_cast<int>(i % 251), live.back()->bytes());
    if (i % 3 == 0) {
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(live.size() / 2));
    }
  }
  for (const auto& storage : live) {
    const auto* bytes = static_cast<const unsigned char*>(storage->data());
    for (std::size_t j = 1; j < storage->bytes(); ++j) {
      REQUIRE(bytes[j] == bytes[0]);
    }
  }
}

TEST_CASE("memory: several threads allocate and free at once", "[memory]") {
  const std::size_t before = memory_stats().current_bytes;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (std::size_t i = 0; i < 500; ++i) {
        const auto storage = Storage::allocate(64 * (1 + i % 10), kCpu);
        std::memset(storage->data(), t, storage->bytes());
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(memory_stats().current_bytes == before);
}

TEST_CASE("memory: adopted memory is released once, by the last owner", "[memory]") {
  const std::size_t before = memory_stats().current_bytes;
  int data = 7, released = 0;
  auto storage = Storage::adopt(&data, sizeof(data), kCpu, [&] { ++released; });
  auto other = storage;
  CHECK(storage->data() == &data);
  CHECK(memory_stats().current_bytes == before);
  storage.reset();
  CHECK(released == 0);
  other.reset();
  CHECK(released == 1);
  Storage::adopt(&data, sizeof(data), kCpu, {});
  CHECK(data == 7);
}

TEST_CASE("memory: a version counts changes", "[memory]") {
  const auto storage = Storage::allocate(4, kCpu);
  CHECK(storage->version() == 0);
  storage->bump_version();
  CHECK(storage->version() == 1);
}

TEST_CASE("memory: too much is an error", "[memory]") {
  const std::size_t before = memory_stats().current_bytes;
  const std::size_t bytes = GENERATE(std::size_t{1} << 50, std::numeric_limits<std::size_t>::max());
  if (kRefusable || bytes > std::size_t{1} << 62) {
    CHECK_THROWS_WITH(Storage::allocate(bytes, kCpu),
                      Catch::Contains("[memory] cpu: not enough memory for " + std::to_string(bytes) + " bytes"));
  }
  CHECK(memory_stats().current_bytes == before);
}

TEST_CASE("memory: a device that is not there is an error", "[memory]") {
  CHECK_THROWS_WITH(Storage::allocate(4, {lora::DeviceType::cuda, 1}),
                    "[memory] cuda:1: tensors live on cuda:0 alone; choose another GPU "
                    "with CUDA_VISIBLE_DEVICES");
  if (lora::cuda_available()) {
    return;
  }
  const auto why = Catch::Matches(R"(\[cuda\] .*use the CPU.*)");
  CHECK_THROWS_WITH(Storage::allocate(4, kCuda), why);
  CHECK_THROWS_WITH(memory_stats(kCuda), why);
  CHECK_THROWS_WITH(lora::Scratch(4, kCuda), why);
  CHECK_THROWS_AS(lora::release_cached_memory(kCuda), lora::Error);
  CHECK_THROWS_AS(lora::reset_peak_memory(kCuda), lora::Error);
}

namespace {

/// A source of little memory that nobody can touch, as that of a device. Blocks are numbered from 1.
struct Distant {
  static inline std::size_t left = 0, numbers = 0;
  static inline std::map<void*, std::size_t> live;

  static void* allocate(std::size_t bytes) {
    if (bytes > left) {
      return nullptr;
    }
    left -= bytes;
    void* block = reinterpret_cast<void*>(++numbers);
    live[block] = bytes;
    return block;
  }
  static void free(void* block) noexcept {
    left += live[block];
    live.erase(block);
  }
};

}  // namespace

TEST_CASE("memory: an allocator touches no block, and gives cached ones back before it gives up", "[memory]") {
  Distant::left = 10000;
  lora::detail::CachingAllocator allocator(kCuda, {Distant::allocate, Distant::free});
  void* first = allocator.allocate(6000);
  allocator.free(first, 6000);
  CHECK(Distant::live.size() == (kCaching ? 1 : 0));
  void* second = allocator.allocate(9000);
  CHECK(second != first);
  CHECK(Distant::live.size() == 1);
  CHECK(allocator.stats().reserved_bytes == 9216);
  CHECK(allocator.stats().peak_bytes == 9216);
  CHECK_THROWS_WITH(allocator.allocate(9000),
                    Catch::StartsWith("[memory] cuda:0: not enough memory for 9000 bytes, 9216 bytes are in use"));
  allocator.free(second, 9000);
  CHECK(allocator.stats().current_bytes == 0);
  allocator.release();
  CHECK(Distant::live.empty());
}
