#include "kernels/emulator/launch.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.hpp"
#include "kernels/emulator/block.hpp"
#include "kernels/emulator/device_ranges.hpp"
#include "kernels/emulator/options.hpp"
#include "kernels/emulator/sanitizers.hpp"

namespace lora::simt {

namespace {

/// Blocks that no OS thread uses now, with their stacks.
class BlockStore {
 public:
  std::unique_ptr<Block> take() {
    const std::lock_guard lock(mutex_);
    if (unused_.empty()) {
      return std::make_unique<Block>();
    }
    auto block = std::move(unused_.back());
    unused_.pop_back();
    return block;
  }
  void give_back(std::unique_ptr<Block> block) {
    const std::lock_guard lock(mutex_);
    unused_.push_back(std::move(block));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Block>> unused_;
};

BlockStore& block_store() {
  static BlockStore* const store = new BlockStore;  // threads may launch until the very end of the program
  return *store;
}

/// The blocks of a launch, given out one by one.
struct Progress {
  std::uint64_t blocks;
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  std::string error;  // the first
};

void check_launch(const Launch& launch, std::uint64_t threads) {
  constexpr unsigned kMostRows = 65535;
  constexpr std::size_t kMostShared = 227u << 10;
  const dim3 &grid = launch.grid, &block = launch.block;
  require(current_block == nullptr, launch.name, "a kernel launches another; launch from the host");
  require(threads >= 1 && threads <= 1024, launch.name, "a block of ", block.x, " x ", block.y, " x ", block.z,
          " threads; 1 to 1024 are possible");
  require(grid.x >= 1 && grid.x <= 0x7fffffffu && grid.y >= 1 && grid.z >= 1 && grid.y <= kMostRows && grid.z <= kMostRows, launch.name,
          "a grid of ", grid.x, " x ", grid.y, " x ", grid.z, " blocks; 2^31-1 x 65535 x 65535 are possible");
  require(launch.dynamic_shared <= kMostShared, launch.name, launch.dynamic_shared, " bytes of shared memory; at most ", kMostShared,
          " are possible");
}

uint3 block_index(const dim3& grid, std::uint64_t number) {
  return {static_cast<unsigned>(number % grid.x), static_cast<unsigned>(number / grid.x % grid.y),
          static_cast<unsigned>(number / grid.x / grid.y)};
}

void run_blocks(const Launch& launch, Progress& progress) {
  std::unique_ptr<Block> block = block_store().take();
  for (;;) {
    const std::uint64_t number = progress.next.fetch_add(1, std::memory_order_relaxed);
    if (number >= progress.blocks) {
      break;
    }
    const std::string& error =
        block->run(launch, block_index(launch.grid, options().order % 2 == 1 ? progress.blocks - 1 - number : number));
    if (!error.empty()) {
      progress.next = progress.blocks;
      const std::lock_guard lock(progress.mutex);
      progress.error = progress.error.empty() ? std::move(error) : progress.error;
    }
  }
  block_store().give_back(std::move(block));
}

}  // namespace

void run(const Launch& launch) {
  check_launch(launch, std::uint64_t{launch.block.x} * launch.block.y * launch.block.z);
  Progress progress{std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z, {}, {}, {}};
  release(&launch_clock);
  const auto count = kTsan ? 1 : std::min<std::uint64_t>(progress.blocks, static_cast<std::uint64_t>(std::max(1, options().threads)));
  std::vector<std::thread> helpers;
  for (std::uint64_t i = 1; i < count; ++i) {
    helpers.emplace_back([&] { run_blocks(launch, progress); });
  }
  run_blocks(launch, progress);
  for (std::thread& helper : helpers) {
    helper.join();
  }
  acquire(&exit_clock);
  require(progress.error.empty(), launch.name, progress.error);
}

void check_pointer(const char* kernel, int number, const void* p) {
  require(p == nullptr || !options().check_pointers || is_device(p, 0), kernel, "argument ", number, " is ", p,
          ", which is no device memory; pass memory of the device");
}

}  // namespace lora::simt
