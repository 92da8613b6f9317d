#include "kernels/cuda/device.hpp"
#include "kernels/cuda/gpu.hpp"

namespace lora::kernels::cuda {

namespace {

__global__ void empty_kernel() {}

}  // namespace

cudaError_t probe() {
  cudaFuncAttributes attributes{};
  return cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(empty_kernel));
}

}  // namespace lora::kernels::cuda
