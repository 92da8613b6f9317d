#include "core/base/memory.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

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

TEST_CASE("memory: too much and unknown devices are errors", "[memory]") {
  const std::size_t before = memory_stats().current_bytes;
  const std::size_t bytes = GENERATE(std::size_t{1} << 50, std::numeric_limits<std::size_t>::max());
  if (kRefusable || bytes > std::size_t{1} << 62) {
    CHECK_THROWS_WITH(Storage::allocate(bytes, kCpu),
                      Catch::Contains("[memory] cpu: not enough memory for " + std::to_string(bytes) + " bytes"));
  }
  CHECK(memory_stats().current_bytes == before);
  const std::string absent = "[memory] cuda:0: this build of lora_core has no CUDA kernels; use cpu";
  CHECK_THROWS_WITH(Storage::allocate(4, kCuda), absent);
  CHECK_THROWS_WITH(memory_stats(kCuda), absent);
  CHECK_THROWS_AS(lora::release_cached_memory(kCuda), lora::Error);
  CHECK_THROWS_AS(lora::reset_peak_memory(kCuda), lora::Error);
}
