#pragma once
// Every call of the CUDA run time is checked.

#include <cuda_runtime_api.h>

#include <string_view>

#include "core/base/error.hpp"

namespace lora::kernels::cuda {

/// @throws Error with what was tried and CUDA's text
inline void check(cudaError_t status, std::string_view where, std::string_view what = {}) {
  if (status != cudaSuccess) [[unlikely]] {
    cudaGetLastError();  // errors that do not end the context are reported once
    fail(where, what, what.empty() ? "" : ": ", "CUDA says ", cudaGetErrorName(status), ", ", cudaGetErrorString(status));
  }
}

}  // namespace lora::kernels::cuda
