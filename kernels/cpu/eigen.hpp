#pragma once
// Eigen under a name of its own for each instruction set: its templates are weak symbols, and the linker must not mix the sets.

#define LORA_EIGEN_PASTE(a, b) a##b
#define LORA_EIGEN_NAME(isa) LORA_EIGEN_PASTE(Eigen_, isa)
#define Eigen LORA_EIGEN_NAME(LORA_CPU_ISA)
#define EIGEN_DONT_PARALLELIZE
#define EIGEN_MPL2_ONLY
#define EIGEN_STACK_ALLOCATION_LIMIT (1024 * 1024)  // packed panels lie on the stack

#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // g++'s own AVX-512 intrinsics, inlined, set it off
#endif

#include <Eigen/Core>
