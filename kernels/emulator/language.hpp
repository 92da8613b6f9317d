#pragma once
// The words of CUDA C++ that are no functions: attributes, built-in variables, shared arrays.

#include <cuda_runtime.h>  // types and declarations alone

#include "kernels/emulator/engine.hpp"

#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __shared__
#undef __launch_bounds__
#undef __forceinline__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __launch_bounds__(...)
#define __forceinline__ inline
#define __grid_constant__
// Every thread would get an array of its own.
#define __shared__ static_assert(false, "use GPU_SHARED or GPU_DYN_SHARED");

namespace lora::simt {

// Variables, since macros with these names break members that have them, as of cudaLaunchConfig_t. The engine sets them when a thread gets
// to run. They are read all the time: initial-exec is the cheapest thread-local storage in a library that is loaded with its program.
[[gnu::tls_model("initial-exec")]] inline constinit thread_local uint3 threadIdx{};
[[gnu::tls_model("initial-exec")]] inline constinit thread_local uint3 blockIdx{};
[[gnu::tls_model("initial-exec")]] inline constinit thread_local dim3 blockDim{};
[[gnu::tls_model("initial-exec")]] inline constinit thread_local dim3 gridDim{};
inline constexpr int warpSize = 32;

/// @tparam Site  the type of a lambda: another one for each place, and for each instantiation of a template
template <class T, class Site>
T& shared(Site) {
  static constinit char site = 0;
  return *static_cast<T*>(shared_array(&site, sizeof(T), alignof(T) < 16 ? 16 : alignof(T)));
}

}  // namespace lora::simt

using lora::simt::blockDim;
using lora::simt::blockIdx;
using lora::simt::gridDim;
using lora::simt::threadIdx;
using lora::simt::warpSize;

/// A shared array: GPU_SHARED(float, tile, [32][33]);
#define GPU_SHARED(T, name, ...) auto& name = ::lora::simt::shared<T __VA_ARGS__>([] {})
/// The dynamic shared memory of the launch as T*, aligned to 128 bytes.
#define GPU_DYN_SHARED(T, name) T* const name = static_cast<T*>(::lora::simt::dynamic_shared())
