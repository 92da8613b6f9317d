#pragma once
// Facts of the safetensors format that its reader and its writer share.

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "core/base/dtype.hpp"
#include "core/base/shape.hpp"

namespace lora::safetensors_format {

inline constexpr std::size_t kLengthBytes = 8;
inline constexpr std::size_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
inline constexpr const char* kMetadataKey = "__metadata__";

/// In the order in which the official writer lays tensors out.
inline constexpr std::array<std::pair<DType, std::string_view>, 8> kFormatNames{{{DType::i64, "I64"},
                                                                                 {DType::f64, "F64"},
                                                                                 {DType::f32, "F32"},
                                                                                 {DType::i32, "I32"},
                                                                                 {DType::bf16, "BF16"},
                                                                                 {DType::f16, "F16"},
                                                                                 {DType::u8, "U8"},
                                                                                 {DType::boolean, "BOOL"}}};

inline std::size_t layout_rank(DType dtype) {
  const auto at = std::find_if(kFormatNames.begin(), kFormatNames.end(), [&](const auto& row) { return row.first == dtype; });
  return static_cast<std::size_t>(at - kFormatNames.begin());
}

/// Bytes of a tensor, or false if they are more than 63 bits can count.
inline bool count_bytes(const Shape& shape, DType dtype, std::size_t& bytes) {
  auto product = static_cast<Index>(itemsize(dtype));
  bool empty = false;
  for (const Index dim : shape) {
    empty = empty || dim == 0;
    if (__builtin_mul_overflow(product, dim == 0 ? 1 : dim, &product)) {
      return false;
    }
  }
  bytes = empty ? 0 : static_cast<std::size_t>(product);
  return true;
}

}  // namespace lora::safetensors_format
