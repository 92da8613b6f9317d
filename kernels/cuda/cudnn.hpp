#pragma once
// All that the library wants of cuDNN, for dense operands. The emulator has loops in its place, a build without cuDNN says that it cannot.

#include "kernels/table.hpp"

namespace lora::kernels::cuda {

/// The products of a convolution: y of x and weight, gx of weight and gy, gw of x and gy.
enum class ConvPass { forward, grad_input, grad_weight };

/// Images are channels-last without gaps, the weight and its gradient [out_channels, kernel h, kernel w, in_channels / groups].
struct DenseConv {
  const Conv2dShape& shape;
  DType dtype;  // f32 or bf16, summed in f32 without TF32
  double scale, keep;
};

/// result = scale * product of first and second + keep * result. No size is 0; numbers of elements fit in an int.
/// @return false if there is no deterministic algorithm for it; then nothing was done
bool run_cudnn(const Context& context, ConvPass pass, const DenseConv& conv, const void* first, const void* second, void* result);

}  // namespace lora::kernels::cuda
