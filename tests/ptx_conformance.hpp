#pragma once
// Kernels that run each wrapper of ptx.hpp once, with what the device made of it.

#include <array>
#include <cstdint>
#include <vector>

#include "kernels/cuda/ptx_meaning.hpp"

namespace lora::test {

/// A value for each lane of one warp.
template <class T>
using Lanes = std::array<T, 32>;

/// One mma_m16n8k16_bf16.
Lanes<kernels::cuda::ptx::meaning::MmaLane> run_mma(const Lanes<kernels::cuda::ptx::meaning::MmaLane>& lanes);

/// One ldmatrix_x4, or _trans, from rows of 8 elements in shared memory. @param row  of each lane
Lanes<std::array<std::uint32_t, 4>> run_ldmatrix(bool transposed, const std::vector<std::uint16_t>& rows, const Lanes<int>& row);

/// Two groups of one cp_async16 each, waited for one after the other; 32 bytes a lane. @param from  the same. @param bytes  of each copy
Lanes<std::array<unsigned char, 32>> run_cp_async(const Lanes<std::array<unsigned char, 32>>& from, const Lanes<int>& bytes);

}  // namespace lora::test
