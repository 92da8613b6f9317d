#pragma once
// Launching kernels: checked, named and counted by row of the table.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "kernels/cuda/error.hpp"
#include "kernels/cuda/gpu.hpp"
#include "kernels/cuda/kernels.hpp"
#ifdef LORA_CUDA_EMULATED
#include "kernels/emulator/stream.hpp"
#endif

namespace lora::kernels::cuda {

std::string_view name(Row row);

/// One axis of a launch: how many items there are, and how many a block takes.
struct Extent {
  Index items, tile;
};

/// What tests ask of a row: launches, those with a last block that is not full, and those of one item alone.
struct LaunchCount {
  std::uint64_t launches = 0, tails = 0, ones = 0;
};

LaunchCount launch_count(Row row);
void count_launch(Row row, std::initializer_list<Extent> extents);

struct LaunchShape {
  dim3 grid, block;
  unsigned dynamic_shared = 0;  ///< bytes
};

/// @throws Error with the row, what was to be done in which grid, and CUDA's text
void check_launch(cudaError_t status, Row row, std::initializer_list<Extent> extents, const LaunchShape& shape);

/// While it lives, profilers show what this thread calls under the row's name.
class ProfiledRange {
 public:
  explicit ProfiledRange(Row row);
  ~ProfiledRange();
  ProfiledRange(const ProfiledRange&) = delete;
  ProfiledRange& operator=(const ProfiledRange&) = delete;
};

/// Blocks of `per_block` items, at least one.
inline dim3 blocks_for(Index items, Index per_block) {
  return dim3(static_cast<unsigned>(items <= per_block ? 1 : (items + per_block - 1) / per_block));
}

/// @param extents  what is counted. @throws Error with CUDA's text; in the emulator with what the kernel did wrong
template <class... P, class... A>
void launch(const Context& context, Row row, std::initializer_list<Extent> extents, const LaunchShape& shape, void (*kernel)(P...),
            const A&... args) {
  count_launch(row, extents);
#ifdef LORA_CUDA_EMULATED
  simt::submit(context.stream, [=, ... values = static_cast<P>(args)] {
    simt::launch(name(row).data(), shape.grid, shape.block, shape.dynamic_shared, kernel, values...);
  });
#else
  const ProfiledRange range(row);
  constexpr unsigned kWithoutOptIn = 48u << 10;
  if (shape.dynamic_shared > kWithoutOptIn) {
    check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.dynamic_shared)), name(row));
  }
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.dynamic_shared;
  config.stream = static_cast<cudaStream_t>(context.stream);
  check_launch(cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...), row, extents, shape);
#endif
}

/// One thread for each of `items`; none, no launch. The kernel compares thread_index() with the number it is given.
template <class... P, class... A>
void launch_each(const Context& context, Row row, Index items, void (*kernel)(P...), const A&... args) {
  if (items > 0) {
    launch(context, row, {{items, kThreads}}, {blocks_for(items, kThreads), dim3(kThreads)}, kernel, args...);
  }
}

}  // namespace lora::kernels::cuda
