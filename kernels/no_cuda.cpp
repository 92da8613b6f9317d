// A build without CUDA: everything that is asked of it says so.
#include "core/base/device_backend.hpp"
#include "kernels/device_tables.hpp"

namespace lora {

namespace {

[[noreturn]] void no_cuda() { fail("cuda", "this build of lora_core has no CUDA kernels; build with -DLORA_CUDA=ON, or use the CPU"); }

}  // namespace

const DeviceBackend& cuda_backend() { no_cuda(); }

bool cuda_available() { return false; }

const kernels::KernelTable& kernels::cuda_table() { no_cuda(); }

void* kernels::cuda_stream() { no_cuda(); }

}  // namespace lora
