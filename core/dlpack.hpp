#pragma once
// Tensors shared with other libraries (PyTorch, NumPy, JAX, ..) by DLPack, without a copy.

#include "core/tensor.hpp"

/// As in `dlpack.h`, which programs that look inside include.
struct DLManagedTensor;

namespace lora {

/// x's memory for another library, with shape, strides and dtype. Each side sees what the other writes, but autograd does not count the
/// other library's changes. The memory lives until the result's deleter is called: who takes the result calls it once, on any thread.
/// @throws Error if x takes part in gradients (detach() it first) or is not on the CPU
DLManagedTensor* to_dlpack(const Tensor& x);

/// Another library's memory as a tensor, which may write into it: this form of DLPack has no word for memory that is read-only. Takes
/// `managed` over and calls its deleter once, when the last tensor of this memory is gone.
/// @throws Error naming what does not fit, a device other than the CPU, a dtype that DType has not, more than 8 axes, negative strides,
/// data that is not aligned to its dtype; then `managed` is still the caller's
Tensor from_dlpack(DLManagedTensor* managed);

}  // namespace lora
