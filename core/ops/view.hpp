#pragma once
// Views: other shapes and strides on the same storage. Changing a view in place changes its source.

#include <vector>

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

/// Moves one axis to another place; the others keep their order. @grad x
Tensor movedim(const Tensor& x, Index source, Index destination);

/// Repeats axes of size 1 without a copy, by NumPy's rule of broadcasting; -1 leaves an axis of x as it is. @grad x
Tensor expand(const Tensor& x, const Shape& shape);

/// x[.., start : start + length, ..] on one axis. @throws Error if that leaves the axis. @grad x
Tensor narrow(const Tensor& x, Index dim, Index start, Index length);

/// x[.., start : end : step, ..] on one axis, as Python has it: negative bounds count from the end, and what lies outside is left out.
/// @param step  at least 1. @grad x
Tensor slice(const Tensor& x, Index dim, Index start, Index end, Index step = 1);

/// x[.., index, ..] without that axis; -1 is the last. @throws Error if index is outside. @grad x
Tensor select(const Tensor& x, Index dim, Index index);

/// Pieces of `split_size` along an axis, the last one shorter where they do not come out even. An empty axis gives one empty piece.
/// @param split_size  at least 1, or 0 for an empty axis. @grad x
std::vector<Tensor> split(const Tensor& x, Index split_size, Index dim = 0);
/// Pieces of the given sizes, which must add up to the axis. @grad x
std::vector<Tensor> split_with_sizes(const Tensor& x, const std::vector<Index>& split_sizes, Index dim = 0);
/// At most `chunks` pieces of one size, the last one shorter where they do not come out even. An empty axis gives `chunks` empty pieces.
/// @grad x
std::vector<Tensor> chunk(const Tensor& x, Index chunks, Index dim = 0);

/// Joins the axes from `start_dim` to the last into one. @grad x
Tensor flatten(const Tensor& x, Index start_dim = 0);

/// Puts an axis of size 1 before axis `dim` of the result. @grad x
Tensor unsqueeze(const Tensor& x, Index dim);

/// Drops axis `dim` if it has size 1, else gives x itself. @grad x
Tensor squeeze(const Tensor& x, Index dim);
/// Drops all axes of size 1. @grad x
Tensor squeeze(const Tensor& x);

/// Makes axis `dim` several, of `sizes`; one of these may be -1 and is worked out. @throws Error unless their product is the axis. @grad x
Tensor unflatten(const Tensor& x, Index dim, const Shape& sizes);

}  // namespace lora
