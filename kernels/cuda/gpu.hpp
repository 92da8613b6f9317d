#pragma once
// The portability layer of kernel sources: the same text goes through nvcc, and through g++ or clang++ with the emulator.
//
// Rules for kernels: no <<<>>>, no bare __shared__, no asm outside of ptx.hpp; barriers in uniform control flow only and no return before
// one; explicit masks; memory handed over inside a warp needs __syncwarp; no waiting between blocks; no owning C++ objects.

#include "core/base/shape.hpp"

#ifdef LORA_CUDA_EMULATED
#include "kernels/emulator/simt.hpp"
#else
#include <cuda_runtime.h>

/// A shared array: GPU_SHARED(float, tile, [32][33]);
#define GPU_SHARED(T, name, ...) __shared__ alignas(16) T name __VA_ARGS__
/// The dynamic shared memory of the launch as T*, aligned to 128 bytes.
#define GPU_DYN_SHARED(T, name)                                         \
  extern __shared__ __align__(128) unsigned char lora_dynamic_shared[]; \
  T* const name = reinterpret_cast<T*>(lora_dynamic_shared)
#endif

namespace lora::kernels::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kFullMask = 0xffffffffu;
/// Threads of a block where nothing else is said.
inline constexpr int kThreads = 256;

#if defined(__CUDACC__) || defined(LORA_CUDA_EMULATED)  // sources of the host have no threads
/// This thread's number in a grid of one axis.
__device__ inline Index thread_index() { return static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; }
#endif

}  // namespace lora::kernels::cuda
