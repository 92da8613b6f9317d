#pragma once
// Blockwise quantization in the layout of bitsandbytes: 4-bit NF4 and FP4, and 8 bits for their scales.

#include <cstddef>
#include <ostream>
#include <string_view>

#include "core/tensor.hpp"

namespace lora {

/// The sixteen values of a 4-bit code: of equal probability under a normal distribution, or floating-point numbers of 3 bits and a sign.
enum class QuantType { nf4, fp4 };

/// `nf4` or `fp4`
std::string_view name(QuantType type);
std::ostream& operator<<(std::ostream& out, QuantType type);

/// f32 [16]: the values of codes 0 to 15. @source Dettmers et al. 2023, QLoRA, arXiv:2305.14314
Tensor code_4bit(QuantType type);

/// f32 [256], ascending: the signed dynamic map that scales are quantized by. @source Dettmers 2016, arXiv:1511.04561
Tensor dynamic_map();

/// Codes of a flattened array in blocks: number i is map[codes[i]] * absmax[i / blocksize].
struct Quantized8Bit {
  Tensor codes;   ///< u8, of the array's shape
  Tensor absmax;  ///< f32 [blocks]: the largest magnitude of each block
};

/// The nearest codes, the lower of two as near. @param x  f32. @param map  f32 [256], ascending, on x's device
/// @param blocksize  a power of two, 32..4096. @throws Error if x is not finite
Quantized8Bit quantize_blockwise(const Tensor& x, const Tensor& map, Index blocksize = 256);

struct Quantize4BitOptions {
  QuantType quant_type = QuantType::nf4;
  Index blocksize = 64;      ///< numbers that share a scale: a power of two from 32 to 4096
  bool double_quant = true;  ///< scales in 8 bits too: 4.127 bits a number instead of 4.5 in blocks of 64
};

/// A tensor in 4 bits a number: blocks of the flattened tensor, the last one maybe short, each with a scale. A value; copies share memory.
struct Quantized4Bit {
  QuantType quant_type = QuantType::nf4;
  Index blocksize = 64;
  Shape shape;               ///< of the tensor
  DType dtype = DType::f32;  ///< that it is given back in
  Tensor packed;             ///< u8 [(n + 1) / 2, 1], the first of two numbers in the high half
  Tensor absmax;             ///< scales, f32 [blocks], or their 8-bit codes
  Tensor code;               ///< f32 [16]: the values of the codes
  Tensor nested_absmax;      ///< f32 [blocks of scales], undefined where scales are f32
  Tensor nested_code;        ///< f32 [256]
  float offset = 0;          ///< added to scales of 8 bits: their mean
  Index nested_blocksize = 256;

  bool defined() const { return packed.defined(); }
  bool nested() const { return nested_absmax.defined(); }
  const Device& device() const { return packed.device(); }
  Index numel() const { return shape.numel(); }
  /// Bytes of everything that is kept of the tensor.
  std::size_t nbytes() const;
};

/// Each number of a block, divided by the block's largest magnitude, as the nearest of sixteen values; the lower (NF4) or smaller (FP4) of
/// two as near. Blocks of zeros stay zeros. The codes are those of bitsandbytes.
/// @param x  floating; numbers are taken in f32. @throws Error if the blocksize is no power of two from 32 to 4096, or x is not finite
Quantized4Bit quantize_4bit(const Tensor& x, const Quantize4BitOptions& options = {});

/// The tensor that q stands for: code * scale in f32, then converted to q.dtype.
Tensor dequantize_4bit(const Quantized4Bit& q);
/// Rows first .. last - 1 of it. @throws Error unless 0 <= first <= last <= rows
Tensor dequantize_4bit(const Quantized4Bit& q, Index first, Index last);

/// q with all parts on a device; q itself if it is there.
Quantized4Bit to(const Quantized4Bit& q, const Device& device);

/// f32 [blocks]: the scales, whichever way they are kept.
Tensor scales_of(const Quantized4Bit& q);

/// Whether the parts fit each other, so that nothing outside of them is read. @throws Error "[where] .." saying which does not
void check_quantized(std::string_view where, const Quantized4Bit& q);

}  // namespace lora
