#include "kernels/cpu/kernels.hpp"

namespace lora::kernels::LORA_CPU_ISA {

const KernelTable kTable{
#define KERNEL(name, parameters) &LORA_CPU_ISA::name,
#include "kernels/kernels.def"
#undef KERNEL
};

}  // namespace lora::kernels::LORA_CPU_ISA
