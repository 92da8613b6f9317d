#pragma once
// Pooling of images.

#include <optional>

#include "core/ops/window.hpp"
#include "core/tensor.hpp"

namespace lora {

// x is f32 or f64 [N, C, H, W] with H, W > 0 and any strides; channels-last ones are not copied. Results are channels-last, with
// (size + 2 padding - dilation (kernel - 1) - 1) / stride + 1 rows and columns, rounded down.

/// The largest of each window; padding is -inf, a NaN makes the result NaN.
/// @param stride  the kernel's size where it is left out. @param padding  at most half of the (dilated) kernel
/// @grad x: the first of equal largest elements gets it; saves their places (a byte each in windows of at most 256), not x
Tensor max_pool2d(const Tensor& x, Size2d kernel, std::optional<Size2d> stride = {}, Size2d padding = 0, Size2d dilation = 1);

/// The mean of each window; padding is 0 and is counted, or is left out where count_include_pad is false.
/// @param stride  the kernel's size where it is left out. @param padding  at most half of the kernel. @grad x; saves nothing
Tensor avg_pool2d(const Tensor& x, Size2d kernel, std::optional<Size2d> stride = {}, Size2d padding = 0, bool count_include_pad = true);

/// Windows chosen so that the result has `output` rows and columns: window i is floor(i in / out) up to before ceil((i + 1) in / out).
/// @grad x
Tensor adaptive_avg_pool2d(const Tensor& x, Size2d output);
Tensor adaptive_max_pool2d(const Tensor& x, Size2d output);

}  // namespace lora
