#pragma once
// Copies of a tensor: in another dtype, on another device, in row-major order, or just apart.

#include "core/tensor.hpp"

namespace lora {

/// The values of x converted to `dtype`; x itself if it has that dtype. Floating to integer truncates.
/// @grad x, converted back, for floating dtypes; a result of integers takes no part in gradients
Tensor to(const Tensor& x, DType dtype);

/// A copy of x on `device`, its axes in the same order in memory; x itself if it is there. From a device it waits for what computes x.
/// @grad x, copied back. @throws Error if there is no such device
Tensor to(const Tensor& x, const Device& device);

/// x itself if it lies in row-major order, else a copy that does. @grad x
Tensor contiguous(const Tensor& x);

/// x [N, C, ..] itself if its channels are innermost in memory, else a copy where they are. @grad x
Tensor channels_last(const Tensor& x);

/// A row-major copy with storage of its own. @grad x
Tensor clone(const Tensor& x);

}  // namespace lora
