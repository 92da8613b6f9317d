#pragma once
// Views: other shapes and strides on the same storage. Changing a view in place changes its source.

#include "core/tensor.hpp"

namespace lora {

/// The elements in row-major order under other sizes; one size may be -1 and is worked out. Copies only if x is not contiguous.
/// @throws Error if the numbers of elements differ. @grad x
Tensor reshape(const Tensor& x, const Shape& shape);

/// Axis i of the result is axis dims[i] of x. @throws Error unless dims is an order of all axes. @grad x
Tensor permute(const Tensor& x, const Shape& dims);

/// Swaps two axes. @grad x
Tensor transpose(const Tensor& x, Index dim0, Index dim1);

/// The transpose of a matrix. @grad x
Tensor t(const Tensor& x);

/// Repeats axes of size 1 without a copy, by NumPy's rule of broadcasting. @grad x
Tensor expand(const Tensor& x, const Shape& shape);

/// x[.., start : start + length, ..] on one axis. @grad x
Tensor narrow(const Tensor& x, Index dim, Index start, Index length);

/// Joins the axes from `start_dim` to the last into one. @grad x
Tensor flatten(const Tensor& x, Index start_dim = 0);

/// Puts an axis of size 1 before axis `dim` of the result. @grad x
Tensor unsqueeze(const Tensor& x, Index dim);

/// Drops axis `dim`, which must have size 1. @grad x
Tensor squeeze(const Tensor& x, Index dim);

}  // namespace lora
