#pragma once
// The rows of convolution by cuDNN: operands are made dense for it. Each returns false if it is not for the library; then the result may
// hold anything.

#include "kernels/table.hpp"

namespace lora::kernels::cuda {

/// `scale` times the map of a convolution, or its transpose.
struct ScaledConv {
  const Conv2dShape& shape;
  double scale;
};

bool conv2d_by_library(const Context& context, const ScaledConv& conv, const ConstView& x, const ConstView& weight, const ConstView* addend,
                       const View& y);
bool grad_input_by_library(const Context& context, const ScaledConv& conv, const ConstView& weight, const ConstView& gy, const View& gx);
bool grad_weight_by_library(const Context& context, const ScaledConv& conv, const ConstView& x, const ConstView& gy, const View& gw);

}  // namespace lora::kernels::cuda
