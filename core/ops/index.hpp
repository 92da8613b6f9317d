#pragma once
// Picking elements by index.

#include "core/tensor.hpp"

namespace lora {

/// y[i, ..] = x[index[i], ..].
/// @param x  [N, ..], any dtype. @param index  [K], i64 in 0..N-1. @return [K, ..], dtype of x
/// @throws Error naming an index outside x. @grad x (f32, f64)
Tensor index_select(const Tensor& x, const Tensor& index);

}  // namespace lora
