#pragma once
// The kernels of CUDA for tests that call kernels with arrays of the host.

#include "kernels/table.hpp"

namespace lora::test {

/// Every row copies its operands to the device, runs the row of CUDA there, and copies back what it may have written, the gaps between
/// elements too. Operands that share memory on the host share it on the device.
const kernels::KernelTable& staged_cuda_table();

}  // namespace lora::test
