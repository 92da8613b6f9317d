// The entry points of the CUDA run time that the library calls, by the declarations of CUDA's own headers, for one device whose memory is
// ordinary memory. What CUDA would leave undefined or does not notice is an error here.
#include <cuda_runtime_api.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <string>

#include "kernels/emulator/device_ranges.hpp"
#include "kernels/emulator/stream.hpp"

struct CUevent_st {
  lora::simt::Stream* stream = nullptr;  // where it was recorded
  std::uint64_t after = 0;               // this many of the stream's
};

namespace {

using lora::simt::is_device;
using lora::simt::Stream;

constexpr std::size_t kDeviceBytes = std::size_t{64} << 30;
constexpr std::size_t kAlignment = 256;
constexpr int kNaNByte = 0xFF;  // a float of it is NaN: what was never written shows

thread_local cudaError_t last_error = cudaSuccess;

/// What work that a stream ran late did wrong.
thread_local std::string failure;

cudaError_t result(cudaError_t status) {
  if (status != cudaSuccess) {
    last_error = status;
  }
  return status;
}

Stream& stream_of(cudaStream_t handle) { return *reinterpret_cast<Stream*>(handle); }

cudaError_t wait_for(Stream& stream, std::uint64_t count) {
  try {
    stream.wait(count);
    return cudaSuccess;
  } catch (const std::exception& error) {
    failure = error.what();
    return result(cudaErrorLaunchFailure);
  }
}

bool is_host(const void* p) { return p != nullptr && !is_device(p, 1); }

bool fits(const void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  return (to_device ? is_device(to, bytes) : is_host(to)) && (from_device ? is_device(from, bytes) : is_host(from));
}

void* host_block(std::size_t bytes) {
  void* block = nullptr;
  if (bytes > kDeviceBytes || posix_memalign(&block, kAlignment, bytes) != 0) {
    return nullptr;
  }
  std::memset(block, kNaNByte, bytes);
  return block;
}

}  // namespace

extern "C" {

cudaError_t CUDARTAPI cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}

cudaError_t CUDARTAPI cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t CUDARTAPI cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  *attributes = {};
  return cudaSuccess;
}

cudaError_t CUDARTAPI cudaGetLastError() {
  const cudaError_t status = last_error;
  last_error = cudaSuccess;
  return status;
}

const char* CUDARTAPI cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    default: return "unrecognized error code";
  }
}

const char* CUDARTAPI cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorLaunchFailure: return failure.c_str();
    default: return "unrecognized error code";
  }
}

cudaError_t CUDARTAPI cudaMalloc(void** block, std::size_t bytes) {
  *block = bytes == 0 ? nullptr : host_block(bytes);
  if (*block != nullptr) {
    lora::simt::add_device_range(*block, bytes);
  }
  return result(bytes == 0 || *block != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t CUDARTAPI cudaFree(void* block) {
  if (block != nullptr) {
    if (!is_device(block, 1)) {
      return result(cudaErrorInvalidValue);
    }
    lora::simt::remove_device_range(block);
    std::free(block);
  }
  return cudaSuccess;
}

cudaError_t CUDARTAPI cudaHostAlloc(void** block, std::size_t bytes, unsigned) {
  *block = host_block(bytes);
  return result(*block != nullptr ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t CUDARTAPI cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (bytes > 0) {
    if (!fits(to, from, bytes, kind)) {
      return result(cudaErrorInvalidValue);
    }
    stream_of(stream).submit([=] { std::memcpy(to, from, bytes); });
  }
  return cudaSuccess;
}

cudaError_t CUDARTAPI cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = reinterpret_cast<cudaStream_t>(new Stream);
  return cudaSuccess;
}

cudaError_t CUDARTAPI cudaStreamSynchronize(cudaStream_t stream) { return wait_for(stream_of(stream), stream_of(stream).submitted()); }

cudaError_t CUDARTAPI cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t CUDARTAPI cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  *event = {&stream_of(stream), stream_of(stream).submitted()};
  return cudaSuccess;
}

cudaError_t CUDARTAPI cudaEventSynchronize(cudaEvent_t event) {
  return event->stream == nullptr ? cudaSuccess : wait_for(*event->stream, event->after);
}

}  // extern "C"
