#pragma once
// Named ranges on the time line of NVIDIA's profilers. Without a profiler they cost a comparison; the emulator has none.

#ifndef LORA_CUDA_EMULATED
#include <nvtx3/nvToolsExt.h>
#endif

namespace lora::kernels::cuda {

#ifdef LORA_CUDA_EMULATED
inline void push_range(const char*) {}
inline void pop_range() {}
#else
inline void push_range(const char* name) { nvtxRangePushA(name); }
inline void pop_range() { nvtxRangePop(); }
#endif

}  // namespace lora::kernels::cuda
