#pragma once
// What the instructions of ptx.hpp do to the 32 lanes of a warp, as plain C++: the emulator runs this, and a GPU is compared with it.
// @source PTX ISA 9.0, sections 9.7.15.5.8 (mma.m16n8k16) and 9.7.15.5.15 (ldmatrix)

#include <bit>
#include <cstdint>
#include <cstring>

namespace lora::kernels::cuda::ptx::meaning {

struct LdmatrixLane {
  const void* row;
  std::uint32_t result[4];
};

/// Four 8x8 matrices of 16-bit elements. Lane 8j + i has the address of row i of matrix j, and gets of each matrix two neighbours of row
/// lane / 4, or with `transposed` of column lane / 4.
inline void ldmatrix_x4(void* const lanes[32], bool transposed) {
  for (unsigned j = 0; j < 4; ++j) {
    std::uint16_t matrix[8][8];
    for (unsigned i = 0; i < 8; ++i) {
      std::memcpy(matrix[i], static_cast<const LdmatrixLane*>(lanes[8 * j + i])->row, sizeof matrix[i]);
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      const unsigned outer = lane / 4, inner = lane % 4 * 2;
      const std::uint32_t low = transposed ? matrix[inner][outer] : matrix[outer][inner];
      const std::uint32_t high = transposed ? matrix[inner + 1][outer] : matrix[outer][inner + 1];
      static_cast<LdmatrixLane*>(lanes[lane])->result[j] = low | high << 16;
    }
  }
}

struct MmaLane {
  float d[4];
  std::uint32_t a[4], b[2];
};

/// Element 0 or 1 of two bf16 in a register.
inline float bf16_of(std::uint32_t pair, unsigned element) { return std::bit_cast<float>(element == 0 ? pair << 16 : pair & 0xffff0000u); }

/// d += a b, of 16x16 and 16x8 bf16, in f32. The order of the sum is not that of the hardware, which is not documented.
inline void mma_m16n8k16_bf16(void* const lanes[32]) {
  float a[16][16], b[16][8];
  for (unsigned lane = 0; lane < 32; ++lane) {
    const auto& from = *static_cast<const MmaLane*>(lanes[lane]);
    const unsigned group = lane / 4, pair = lane % 4 * 2;
    for (unsigned e = 0; e < 8; ++e) {
      a[group + e / 2 % 2 * 8][pair + e % 2 + e / 4 * 8] = bf16_of(from.a[e / 2], e % 2);
    }
    for (unsigned e = 0; e < 4; ++e) {
      b[pair + e % 2 + e / 2 * 8][group] = bf16_of(from.b[e / 2], e % 2);
    }
  }
  for (unsigned lane = 0; lane < 32; ++lane) {
    auto& to = *static_cast<MmaLane*>(lanes[lane]);
    for (unsigned e = 0; e < 4; ++e) {
      const unsigned row = lane / 4 + e / 2 * 8, column = lane % 4 * 2 + e % 2;
      for (unsigned k = 0; k < 16; ++k) {
        to.d[e] += a[row][k] * b[k][column];
      }
    }
  }
}

}  // namespace lora::kernels::cuda::ptx::meaning
