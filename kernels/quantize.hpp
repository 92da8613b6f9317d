#pragma once
// What kernels of blockwise quantization share: codes in blocks, and how numbers become 4-bit codes.

#include <cstdint>

#include "core/base/view.hpp"

namespace lora::kernels {

/// Quantized numbers in blocks of a flattened array, the last one maybe short: number i is table[code i] * absmax[i / blocksize].
struct BlockCodes {
  ConstView codes;   // u8 contiguous; of 4 bits two in a byte, the first in the high half
  ConstView absmax;  // f32 [number of blocks], contiguous
  ConstView table;   // f32 [16] or [256], contiguous
  Index blocksize;
};

/// How a number v in [-1, 1] becomes a 4-bit code: codes[how many thresholds lie below v]. With `by_magnitude` these are thresholds of |v|,
/// and negative v have bit 3 set.
struct Codebook4 {
  float thresholds[15];  // ascending; infinite where there are fewer
  std::uint8_t codes[16];
  bool by_magnitude;
};

}  // namespace lora::kernels
