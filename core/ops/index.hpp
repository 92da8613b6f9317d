#pragma once
// Picking elements by index, and adding to picked ones. Indices are i64, or i32, which are converted; none counts from the end. They are
// checked before the kernel runs: one on another device is copied to the CPU for that, which waits for the device.

#include <optional>

#include "core/tensor.hpp"

namespace lora {

/// y[.., i, ..] = x[.., index[i], ..] on axis `dim`.
/// @param x  any dtype. @param index  [K], in 0..size of the axis - 1
/// @return x's sizes but K on the axis, its dtype and the order of its axes in memory
/// @throws Error naming an index outside of x and its position. @grad x (f32, f64); saves index
Tensor index_select(const Tensor& x, Index dim, const Tensor& index);

/// y[i, j, k] = x[i, index[i, j, k], k] for dim = 1, and so for any number of axes.
/// @param index  as many axes as x, none but `dim` longer than x's. @return sizes of index, dtype of x
/// @throws Error naming an index outside of x and its position. @grad x (f32, f64): scatter_add of the cotangent; saves index
Tensor gather(const Tensor& x, Index dim, const Tensor& index);

/// A copy of x with src added: y[i, index[i, j, k], k] += src[i, j, k] for dim = 1, in the order of j. f32, f64.
/// @param index  as in gather(). @param src  sizes of index, dtype of x
/// @throws Error naming an index outside of x and its position. @grad x, and src: gather of the cotangent; saves index
Tensor scatter_add(const Tensor& x, Index dim, const Tensor& index, const Tensor& src);

/// y[.., :] = weight[index[..], :].
/// @param weight  [V, D], any dtype. @param index  of any shape, in 0..V-1
/// @param padding_idx  a row that gets no gradient; -1 is the last
/// @return sizes of index and D. @throws Error naming an index outside of weight and its position. @grad weight (f32, f64); saves index
Tensor embedding(const Tensor& weight, const Tensor& index, std::optional<Index> padding_idx = std::nullopt);

}  // namespace lora
