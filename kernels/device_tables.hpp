#pragma once
// What a device other than the CPU gives to table() and context(); a build without it defines them in no_cuda.cpp.

#include "kernels/table.hpp"

namespace lora::kernels {

/// @throws Error if this build has no CUDA, or the machine no driver or device
const KernelTable& cuda_table();

/// The stream that kernels of this thread's tensors run on.
void* cuda_stream();

}  // namespace lora::kernels
