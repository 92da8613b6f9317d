#include "kernels/cuda/device.hpp"

#include <sstream>

#include "core/base/device_backend.hpp"
#include "kernels/cuda/error.hpp"
#include "kernels/device_tables.hpp"

namespace lora {

namespace kernels::cuda {

namespace {

/// 13.2 for 13020.
std::string version_text(int version) { return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10); }

std::string absence_here() {
  int devices = 0, driver = 0;
  cudaError_t status = cudaGetDeviceCount(&devices);
  if (status == cudaSuccess && devices > 0) {
    status = probe();
  }
  cudaGetLastError();  // it is told here
  cudaDriverGetVersion(&driver);
  return absence(status, devices, driver);
}

cudaStream_t make_stream() {
  const std::string reason = absence_here();
  require(reason.empty(), "cuda", reason);
  cudaStream_t made = nullptr;
  check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "cuda", "creating a stream");
  return made;
}

}  // namespace

std::string absence(cudaError_t status, int devices, int driver) {
  if (status == cudaSuccess && devices > 0) {
    return {};
  }
  std::ostringstream text;
  if (driver == 0) {
    text << "this machine has no NVIDIA driver; install one";
  } else if (status == cudaErrorInsufficientDriver) {
    text << "the NVIDIA driver is for CUDA " << version_text(driver) << ", this build needs " << version_text(CUDART_VERSION)
         << "; update it";
  } else if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction) {
    text << "this build has no code for the GPU of this machine; build with its architecture in LORA_CUDA_ARCHITECTURES";
  } else {
    const cudaError_t fact = status == cudaSuccess ? cudaErrorNoDevice : status;
    text << "no GPU can be used: CUDA says " << cudaGetErrorName(fact) << ", " << cudaGetErrorString(fact)
         << "; see what nvidia-smi and CUDA_VISIBLE_DEVICES say";
  }
  text << ", or use the CPU (--device cpu)";
  return std::move(text).str();
}

cudaStream_t stream() {
  static const cudaStream_t instance = make_stream();
  return instance;
}

}  // namespace kernels::cuda

const DeviceBackend& cuda_backend() {
  namespace cuda = kernels::cuda;
  static const DeviceBackend backend{cuda::allocate, cuda::free, cuda::upload, cuda::download, cuda::synchronize};
  cuda::stream();
  return backend;
}

bool cuda_available() { return kernels::cuda::absence_here().empty(); }

void* kernels::cuda_stream() { return cuda::stream(); }

}  // namespace lora
