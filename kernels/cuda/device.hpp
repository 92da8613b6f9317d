#pragma once
// The device that everything runs on, its stream and its memory.

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>

namespace lora::kernels::cuda {

/// Why there is no device to compute on, and what to do; empty if there is one.
/// @param status, devices  of cudaGetDeviceCount(), or else the status of probe(). @param driver  of cudaDriverGetVersion(), 0 without a
/// driver
std::string absence(cudaError_t status, int devices, int driver);

/// Loads a kernel, which fails where this build has no code for the device.
cudaError_t probe();

/// The one stream of this process, made at first use: kernels and copies run in the order of their calls, and what is freed may be used
/// again by those that come later. @throws Error if there is no device
cudaStream_t stream();

/// Device memory, or null where there is not enough.
void* allocate(std::size_t bytes);
/// Waits for everything that may use the block.
void free(void* block) noexcept;

/// Host to device. `from` may be changed as soon as it returns.
void upload(void* to, const void* from, std::size_t bytes);
/// Device to host; waits until it is there.
void download(void* to, const void* from, std::size_t bytes);
void synchronize();

}  // namespace lora::kernels::cuda
