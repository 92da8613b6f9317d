#pragma once
// The kernels of one instruction set, declared row by row; a row without a definition is a link error.
// LORA_CPU_ISA is the name of the set: every folder-wide name lives in a namespace of that name, so that the sets share no symbol.

#include "kernels/table.hpp"

namespace lora::kernels::LORA_CPU_ISA {

#define KERNEL(name, parameters) void name parameters;
#include "kernels/kernels.def"
#undef KERNEL

extern const KernelTable kTable;

}  // namespace lora::kernels::LORA_CPU_ISA
