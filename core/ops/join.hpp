#pragma once
// Joining tensors, and padding one. Results have their axes in memory as the first input that is not row-major has them, so images that
// are channels-last stay so.

#include <vector>

#include "core/tensor.hpp"

namespace lora {

/// The tensors one after another on axis `dim`. They have one dtype and, but for that axis, one shape; as in PyTorch, those of shape [0]
/// go with all.
/// @throws Error naming the first tensor that does not fit, or if there is none at all. @grad each: a view of the cotangent
Tensor cat(const std::vector<Tensor>& tensors, Index dim = 0);

/// The tensors side by side on a new axis, before axis `dim` of the result. They have one dtype and one shape.
/// @throws Error naming the first tensor that does not fit, or if there is none at all. @grad each
Tensor stack(const std::vector<Tensor>& tensors, Index dim = 0);

/// x with `value` around it.
/// @param pads  how many elements before and after, from the last axis on: {left, right, top, bottom, ..}, for as many axes as there are
/// pairs. Negative ones cut off. @throws Error if more is cut off than there is. @grad x
Tensor pad(const Tensor& x, const std::vector<Index>& pads, double value = 0.0);

}  // namespace lora
