#include "core/ops/product_dtype.hpp"

#include "core/ops/kernel_call.hpp"
#include "core/ops/view.hpp"

namespace lora::detail {

namespace {

/// to() is row-major and records; this keeps the order of axes, so that a transposed or channels-last operand needs no second copy.
Tensor converted(const Tensor& x, DType dtype) {
  Tensor y = empty_like(x, dtype);
  kernels_of(x).copy(context_of(x), x.view(), y.mutable_view());
  return y;
}

/// x without its repetitions.
Tensor once(const Tensor& x) {
  Tensor y = x;
  for (int axis = 0; axis < x.ndim(); ++axis) {
    if (x.strides()[axis] == 0 && x.shape()[axis] > 1) {
      y = narrow(y, axis, 0, 1);
    }
  }
  return y;
}

}  // namespace

Tensor ProductDType::rounded_operand(const Tensor& x) {
  const Tensor rounded = converted(once(x.detach()), DType::bf16);
  return expand(x.device() == kCpu ? converted(rounded, DType::f32) : rounded, x.shape());
}

Tensor ProductDType::rounded_result(const Tensor& y) {
  return converted(y.dtype() == DType::bf16 ? y : converted(y, DType::bf16), DType::f32);
}

}  // namespace lora::detail
