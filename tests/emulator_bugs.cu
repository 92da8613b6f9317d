#include "tests/emulator_bugs.hpp"

#include <algorithm>

#include "kernels/cuda/error.hpp"
#include "kernels/cuda/gpu.hpp"

namespace lora::testing {

namespace {

using kernels::cuda::kFullMask;

constexpr unsigned kNumbers = 256;

__global__ void past_shared(float* out, int planted) {
  GPU_SHARED(float, a, [64]);
  float* const p = a;
  a[threadIdx.x] = 2.0f;
  __syncthreads();
  out[threadIdx.x] = p[threadIdx.x + static_cast<unsigned>(planted)];
}

__global__ void write_past_shared(float*, int planted) {
  GPU_SHARED(float, a, [64]);
  float* const p = a;
  p[threadIdx.x + static_cast<unsigned>(planted)] = 2.0f;
}

__global__ void past_dynamic(float* out, int planted) {
  GPU_DYN_SHARED(float, a);
  a[threadIdx.x] = 2.0f;
  __syncthreads();
  out[threadIdx.x] = a[threadIdx.x + static_cast<unsigned>(planted)];
}

__global__ void past_global(float* out, int planted) { out[kNumbers - 64 + threadIdx.x + static_cast<unsigned>(planted)] = 2.0f; }

/// Not inlined, so that the compiler does not know how long the array is.
[[gnu::noinline]] __device__ float element(const float* p, unsigned i) { return p[i]; }

__global__ void past_local(float* out, int planted) {
  float a[8];
  for (unsigned i = 0; i < 8; ++i) {
    a[i] = static_cast<float>(i);
  }
  out[threadIdx.x] = element(a, threadIdx.x % 8 + static_cast<unsigned>(planted));
}

__global__ void past_row(float* out, int planted) {
  GPU_SHARED(float, a, [16][8]);
  a[threadIdx.x / 8][threadIdx.x % 8] = 2.0f;
  a[8 + threadIdx.x / 8][threadIdx.x % 8] = 3.0f;
  __syncthreads();
  out[threadIdx.x] = a[threadIdx.x / 8][threadIdx.x % 8 + static_cast<unsigned>(planted)];
}

__global__ void shift_too_far(float* out, int planted) { out[threadIdx.x] = static_cast<float>(1 << (1 + 32 * planted)); }

__global__ void index_overflow(float* out, int planted) {
  const int rows = 70 + planted * 70000;
  out[threadIdx.x] = static_cast<float>(rows * rows);
}

__global__ void missing_barrier(float* out, int planted) {
  GPU_SHARED(float, a, [64]);
  a[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (planted == 0) {
    __syncthreads();
  }
  out[threadIdx.x] = a[63 - threadIdx.x];
}

__global__ void missing_second_barrier(float* out, int planted) {
  GPU_SHARED(float, a, [64]);
  float sum = 0.0f;
  for (int i = 0; i < 4; ++i) {
    a[threadIdx.x] = static_cast<float>(i);
    __syncthreads();
    sum += a[(threadIdx.x + 1) % 64];
    if (planted == 0) {
      __syncthreads();
    }
  }
  out[threadIdx.x] = sum;
}

__global__ void missing_syncwarp(float* out, int planted) {
  GPU_SHARED(float, a, [64]);
  a[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (planted == 0) {
    __syncwarp();
  }
  out[threadIdx.x] = a[threadIdx.x ^ 1u];
}

// A shuffle makes lanes wait for each other and orders no memory. The hardware's, and so the emulator's threads, would get away with it.
__global__ void shuffle_as_fence(float* out, int planted) {
  GPU_SHARED(float, a, [64]);
  a[threadIdx.x] = static_cast<float>(threadIdx.x);
  const unsigned other = __shfl_xor_sync(kFullMask, threadIdx.x, 1);
  if (planted == 0) {
    __syncwarp();
  }
  out[threadIdx.x] = a[other];
}

__global__ void divergent_barrier(float* out, int planted) {
  if (planted == 0 || threadIdx.x < 40) {
    __syncthreads();
  }
  out[threadIdx.x] = 2.0f;
}

__global__ void early_return(float* out, int planted) {
  if (planted == 1 && threadIdx.x >= 40) {
    return;
  }
  out[threadIdx.x] = 2.0f;
  __syncthreads();
}

__global__ void two_barriers(float* out, int planted) {
  out[threadIdx.x] = 2.0f;
  if (planted == 1 && threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void divergent_shuffle(float* out, int planted) {
  out[threadIdx.x] = 2.0f;
  if (planted == 0 || threadIdx.x % 32 < 16) {
    out[threadIdx.x] = __shfl_xor_sync(kFullMask, 3.0f, 1);
  }
}

__global__ void shuffle_out_of_mask(float* out, int planted) {
  if (threadIdx.x % 32 < 16) {
    out[threadIdx.x] = __shfl_xor_sync(0xffffu, 3.0f, 8 + 8 * planted);
  }
}

__global__ void lane_out_of_mask(float* out, int planted) { out[threadIdx.x] = __shfl_sync(planted == 1 ? 0xffffu : kFullMask, 3.0f, 0); }

__global__ void different_operations(float* out, int planted) {
  out[threadIdx.x] = 2.0f;
  if (planted == 1 && threadIdx.x % 2 == 0) {
    __syncwarp();
  } else {
    out[threadIdx.x] += __shfl_sync(kFullMask, 1.0f, 0);
  }
}

__global__ void uninitialised_shared(float* out, int planted) {
  GPU_SHARED(float, a, [64]);
  if (threadIdx.x < 64 - static_cast<unsigned>(planted)) {
    a[threadIdx.x] = 2.0f;
  }
  __syncthreads();
  out[threadIdx.x] = a[63 - threadIdx.x] * 2.0f;
}

__global__ void uninitialised_global(float* out, int) { out[threadIdx.x] += 1.0f; }

__global__ void lost_update(float* out, int planted) {
  if (planted == 0) {
    atomicAdd(out, 1.0f);
  } else {
    *out += 1.0f;
  }
}

__global__ void blocks_race(float* out, int planted) {
  if (threadIdx.x == 0 && (planted == 1 || blockIdx.x == gridDim.x - 1)) {
    out[0] = static_cast<float>(blockIdx.x);
  }
}

__global__ void copy_without_wait(float* out, int planted) {
  GPU_SHARED(float4, a, [64]);
  simt::cp_async(&a[threadIdx.x], out + 4 * threadIdx.x, 16, 16);
  simt::cp_async_commit();
  if (planted == 0) {
    simt::cp_async_wait(0);
  }
  __syncthreads();
  out[threadIdx.x] = a[63 - threadIdx.x].x * 2.0f;
}

__global__ void copy_without_barrier(float* out, int planted) {
  GPU_SHARED(float4, a, [64]);
  simt::cp_async(&a[threadIdx.x], out + 4 * threadIdx.x, 16, 16);
  simt::cp_async_commit();
  simt::cp_async_wait(0);
  if (planted == 0) {
    __syncthreads();
  }
  const float value = a[63 - threadIdx.x].x;
  __syncthreads();
  out[threadIdx.x] = value * 2.0f;
}

__global__ void copy_misaligned(float* out, int planted) {
  GPU_SHARED(float4, a, [64]);
  simt::cp_async(&a[threadIdx.x], out + planted, 16, 16);
  simt::cp_async_wait(0);
}

__global__ void copy_to_global(float* out, int planted) {
  GPU_SHARED(float4, a, [64]);
  simt::cp_async(planted == 1 ? out + 128 : &a[threadIdx.x].x, out, 16, 16);
}

__global__ void too_much_shared(float* out, int planted) {
  GPU_SHARED(float, a, [8 << 10]);
  a[threadIdx.x] = out[threadIdx.x];
  if (planted == 1) {
    GPU_SHARED(float, b, [8 << 10]);
    b[threadIdx.x] = a[threadIdx.x];
  }
}

__global__ void exception(float* out, int planted) {
  require(planted == 0, "kernel", "thrown inside");
  out[threadIdx.x] = 2.0f;
}

/// 256 numbers in memory of the device.
class Numbers {
 public:
  Numbers() { kernels::cuda::check(cudaMalloc(reinterpret_cast<void**>(&data_), kNumbers * sizeof(float)), "cudaMalloc"); }
  ~Numbers() { cudaFree(data_); }
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;
  float* data() const { return data_; }

 private:
  float* data_ = nullptr;
};

}  // namespace

const std::vector<Bug>& bugs() {
  using enum Finder;
  static const std::vector<Bug> all{
      {"divergent_barrier", engine, "40 threads at __syncthreads", divergent_barrier, 1, 64},
      {"early_return", engine, "24 threads exited", early_return, 1, 64},
      {"two_barriers", engine, "__syncthreads while other threads of the block wait at that of", two_barriers, 1, 64},
      {"divergent_shuffle", engine, "16 threads at an operation of their warp", divergent_shuffle, 1, 32},
      {"shuffle_out_of_mask", engine, "shuffle reads a lane that is not in its mask", shuffle_out_of_mask, 1, 64},
      {"lane_out_of_mask", engine, "the calling lane is not in the mask", lane_out_of_mask, 1, 32},
      {"different_operations", engine, "lanes of one warp wait at different operations", different_operations, 1, 32},
      {"copy_misaligned", engine, "an address that is no multiple of its size", copy_misaligned, 1, 64},
      {"copy_to_global", engine, "cp.async to what is no shared memory", copy_to_global, 1, 64},
      {"too_much_shared", engine, "more than 48 KiB", too_much_shared, 1, 64},
      {"exception", engine, "thrown inside", exception, 1, 64},
      {"past_shared", values, "", past_shared, 1, 64},
      {"write_past_shared", values, "", write_past_shared, 1, 64},
      {"past_dynamic", values, "", past_dynamic, 1, 64},
      {"past_row", values, "", past_row, 1, 64},
      {"missing_barrier", values, "", missing_barrier, 1, 64},
      {"missing_second_barrier", values, "", missing_second_barrier, 1, 64},
      {"missing_syncwarp", values, "", missing_syncwarp, 1, 64},
      {"uninitialised_shared", values, "", uninitialised_shared, 1, 64},
      {"uninitialised_global", values, "", uninitialised_global, 1, 64},
      {"blocks_race", values, "", blocks_race, 4, 64},
      {"copy_without_wait", values, "", copy_without_wait, 1, 64},
      {"copy_without_barrier", values, "", copy_without_barrier, 1, 64},
      {"past_shared", address, "use-after-poison", past_shared, 1, 64},
      {"write_past_shared", address, "use-after-poison", write_past_shared, 1, 64},
      {"past_dynamic", address, "use-after-poison", past_dynamic, 1, 64},
      {"past_global", address, "heap-buffer-overflow", past_global, 1, 64},
      {"past_local", address, "stack-buffer-overflow", past_local, 1, 64},
      {"past_row", undefined, "index 8 out of bounds", past_row, 1, 64},
      {"shift_too_far", undefined, "shift exponent 33 is too large", shift_too_far, 1, 64},
      {"index_overflow", undefined, "signed integer overflow", index_overflow, 1, 64},
      {"missing_barrier", thread, "data race", missing_barrier, 1, 64},
      {"missing_second_barrier", thread, "data race", missing_second_barrier, 1, 64},
      {"missing_syncwarp", thread, "data race", missing_syncwarp, 1, 64},
      {"shuffle_as_fence", thread, "data race", shuffle_as_fence, 1, 64},
      {"lost_update", thread, "data race", lost_update, 1, 64},
      {"blocks_race", thread, "data race", blocks_race, 4, 64},
      {"copy_without_wait", thread, "data race", copy_without_wait, 1, 64},
      {"copy_without_barrier", thread, "data race", copy_without_barrier, 1, 64},
  };
  return all;
}

std::vector<float> run_bug(const Bug& bug, bool planted) {
  const Numbers numbers;
  if (!(planted && bug.kernel == uninitialised_global)) {
    std::fill_n(numbers.data(), kNumbers, 1.0f);
  }
  simt::launch(bug.name, bug.blocks, bug.threads, 64 * sizeof(float), bug.kernel, numbers.data(), planted ? 1 : 0);
  return {numbers.data(), numbers.data() + kNumbers};
}

}  // namespace lora::testing
