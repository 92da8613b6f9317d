#pragma once
// The kernels of CUDA devices, declared row by row; a row without a definition is a link error.

#include "kernels/table.hpp"

namespace lora::kernels::cuda {

#define KERNEL(name, parameters) void name parameters;
#include "kernels/kernels.def"
#undef KERNEL

/// A row of the table, for counting launches and for messages.
enum class Row : int {
#define KERNEL(name, parameters) name,
#include "kernels/kernels.def"
#undef KERNEL
};

}  // namespace lora::kernels::cuda
