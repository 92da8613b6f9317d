#pragma once
// Teams: the threads that make one result together are one thread, a warp or a block, by the sizes. Kernels are the same text for all.

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/launch.hpp"

namespace lora::kernels::cuda {

inline constexpr Index kShort = 16;         // values that one thread takes wherever they lie
inline constexpr Index kWarpValues = 1024;  // values up to which a warp is enough

inline constexpr unsigned kWarpTeam = kWarp, kBlockTeam = kThreads;

/// `count` results of `length` values each, by `size` threads a result: 1, kWarpTeam or kBlockTeam.
struct Teams {
  Index count = 0, length = 0;
  unsigned size = 1;
};

/// Blocks of kThreads threads; no results, no launch.
template <class... P, class... A>
void launch_teams(const Context& context, Row row, const Teams& teams, void (*kernel)(P...), const A&... args) {
  const Index per_block = kBlockTeam / teams.size;
  if (teams.count > 0) {
    launch(context, row, {{teams.count, per_block}, {teams.length, teams.size}}, {blocks_for(teams.count, per_block), dim3(kThreads)},
           kernel, args...);
  }
}

/// The team that a thread is in. Whole warps have the same number unless size is 1, so they may branch by it.
struct Team {
  unsigned size;

  __device__ Index number() const { return static_cast<Index>(blockIdx.x) * (kBlockTeam / size) + threadIdx.x / size; }
  /// Among the threads of the team: the first of its values, which are then `size` apart.
  __device__ Index rank() const { return threadIdx.x % size; }

  /// All threads of the team get the reduction of their values, in an order that the size alone decides.
  template <class T, class F>
  __device__ T reduce(T value, T identity, F f) const {
    if (size == 1) {
      return value;
    }
    return size == kWarpTeam ? warp_reduce(value, f) : block_reduce(value, identity, f);
  }

  /// What the team read before is read by all of it.
  __device__ void sync() const {
    if (size == kWarpTeam) {
      __syncwarp();
    } else if (size == kBlockTeam) {
      __syncthreads();
    }
  }
};

}  // namespace lora::kernels::cuda
