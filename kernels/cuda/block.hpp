#pragma once
// Reductions over the threads of a warp and of a block.

#include "kernels/cuda/gpu.hpp"

namespace lora::kernels::cuda {

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

/// The value of the lane whose number differs in the bits of `distance`. Structs overload it member by member.
template <class T>
__device__ inline T shuffle_xor(T value, int distance) {
  return __shfl_xor_sync(kFullMask, value, distance);
}

/// All 32 lanes get the reduction of their values.
template <class T, class F>
__device__ inline T warp_reduce(T value, F f) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) {
    value = f(value, shuffle_xor(value, distance));
  }
  return value;
}

/// All threads of the block get the reduction of their values. Every thread must call it, and blockDim.x be the only axis and a multiple
/// of 32. The order is fixed, so the result has the same bits each time.
template <class T, class F>
__device__ inline T block_reduce(T value, T identity, F f) {
  GPU_SHARED(T, parts, [kWarp]);
  const unsigned lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  value = warp_reduce(value, f);
  if (lane == 0) {
    parts[warp] = value;
  }
  __syncthreads();
  value = warp_reduce(lane < blockDim.x / kWarp ? parts[lane] : identity, f);
  __syncthreads();  // the next call writes to `parts`
  return value;
}

template <class T>
__device__ inline T block_sum(T value) {
  return block_reduce(value, T(0), Plus{});
}

}  // namespace lora::kernels::cuda
