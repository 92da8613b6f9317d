#pragma once
// CUDA C++ as plain C++: what kernel sources include instead of CUDA's own language. Kernels run on the CPU, their threads one after
// another on stacks of their own, switched where they wait for each other.

#include "kernels/emulator/atomics.hpp"
#include "kernels/emulator/engine.hpp"
#include "kernels/emulator/language.hpp"
#include "kernels/emulator/launch.hpp"
#include "kernels/emulator/math_functions.hpp"
#include "kernels/emulator/options.hpp"
#include "kernels/emulator/warp_functions.hpp"
