#pragma once
// Convolution of images.

#include "core/ops/window.hpp"
#include "core/tensor.hpp"

namespace lora {

struct Conv2dOptions {
  Size2d stride = 1;    ///< pixels from window to window
  Size2d padding = 0;   ///< rows and columns of zeros at each side
  Size2d dilation = 1;  ///< pixels from one element of the kernel to the next
  Index groups = 1;     ///< outputs of a group see inputs of that group only
};

/// y[n, o, i, j] = bias[o] + sum over c, a, b of weight[o, c, a, b] x[n, c', i stride - padding + a dilation, ..], zero outside of the
/// image, where c' counts through the inputs of the group of o. The result has (size + 2 padding - dilation (kernel - 1) - 1) / stride + 1
/// rows and columns, rounded down, and is channels-last.
/// @param x  f32 or f64 [N, C, H, W], any strides; channels-last ones are not copied. @param weight  [O, C / groups, kh, kw]
/// @param bias  [O], or undefined for none
/// @throws Error if channels and groups do not fit, or a kernel is larger than the padded image
/// @grad x, weight and bias, each only if it takes part; saves x (for weight) and weight (for x)
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Conv2dOptions& options = {});

/// y = addend + scale * conv2d(x, weight), in one pass over y.
/// @param addend  broadcasts to the result. Otherwise as conv2d()
Tensor conv2d_add(const Tensor& addend, const Tensor& x, const Tensor& weight, double scale = 1.0, const Conv2dOptions& options = {});

/// The gradient of conv2d(x, weight) by x: the transpose of that map, as torch.nn.grad.conv2d_input.
/// @param input_size  the shape of x. @param grad_output  the gradient of the result, of its shape, any strides. @return channels-last
/// @throws Error as conv2d(), or if grad_output has another shape. Has no gradient of its own
Tensor conv2d_input(const Shape& input_size, const Tensor& weight, const Tensor& grad_output, const Conv2dOptions& options = {});

}  // namespace lora
