#pragma once
// The instruction sets that the CPU kernels are built for, and the choice among them.

#include <array>
#include <string_view>

#include "kernels/table.hpp"

namespace lora::kernels {

/// From the narrowest to the widest: any x86-64; with AVX2, FMA, BMI and F16C; with AVX-512 F, BW, CD, DQ, VL.
inline constexpr std::array<std::string_view, 3> kCpuIsas{"baseline", "avx2", "avx512"};

/// The set that table(kCpu) computes with: the environment's `LORA_CPU_ISA`, else the widest that this machine and this build have.
/// @throws Error if LORA_CPU_ISA names no set or one that is lacking
std::string_view cpu_isa();

/// The kernels of one set, or null if this machine cannot run them or this build does not have them.
/// @throws Error if there is no such set
const KernelTable* cpu_table(std::string_view isa);

}  // namespace lora::kernels
