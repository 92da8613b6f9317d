#include "kernels/cuda/launch.hpp"

#include <algorithm>
#include <atomic>
#include <sstream>

#include "kernels/cuda/nvtx.hpp"

namespace lora::kernels::cuda {

namespace {

constexpr std::array kNames{
#define KERNEL(name, parameters) std::string_view(#name),
#include "kernels/kernels.def"
#undef KERNEL
};

struct Counters {
  std::atomic<std::uint64_t> launches{0}, tails{0}, ones{0};
};

Counters& counters(Row row) {
  static std::array<Counters, kNames.size()> all;
  return all[static_cast<std::size_t>(row)];
}

}  // namespace

std::string_view name(Row row) { return kNames[static_cast<std::size_t>(row)]; }

LaunchCount launch_count(Row row) {
  const Counters& c = counters(row);
  return {c.launches.load(), c.tails.load(), c.ones.load()};
}

void count_launch(Row row, std::initializer_list<Extent> extents) {
  Counters& c = counters(row);
  const bool tail = std::any_of(extents.begin(), extents.end(), [](const Extent& e) { return e.items % e.tile != 0; });
  const bool one = std::all_of(extents.begin(), extents.end(), [](const Extent& e) { return e.items == 1; });
  c.launches.fetch_add(1, std::memory_order_relaxed);
  c.tails.fetch_add(tail ? 1 : 0, std::memory_order_relaxed);
  c.ones.fetch_add(one ? 1 : 0, std::memory_order_relaxed);
}

void check_launch(cudaError_t status, Row row, std::initializer_list<Extent> extents, const LaunchShape& shape) {
  if (status == cudaSuccess) [[likely]] {
    return;
  }
  std::ostringstream items;
  for (const Extent& extent : extents) {
    items << (items.tellp() > 0 ? " x " : "") << extent.items;
  }
  const dim3 &grid = shape.grid, &block = shape.block;
  std::ostringstream what;
  what << "launching " << grid.x << " x " << grid.y << " x " << grid.z << " blocks of " << block.x * block.y * block.z << " threads for "
       << items.str() << " items";
  check(status, name(row), what.str());
}

ProfiledRange::ProfiledRange(Row row) { push_range(name(row).data()); }

ProfiledRange::~ProfiledRange() { pop_range(); }

}  // namespace lora::kernels::cuda
