#include "kernels/cuda/device.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/device_tables.hpp"

namespace lora::kernels {

namespace {

const KernelTable kCudaTable{
#define KERNEL(name, parameters) &cuda::name,
#include "kernels/kernels.def"
#undef KERNEL
};

}  // namespace

const KernelTable& cuda_table() {
  cuda::stream();  // or the error that says why there is none
  return kCudaTable;
}

}  // namespace lora::kernels
