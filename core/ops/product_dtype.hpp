#pragma once
// In which type a product is computed, and the way of operands there and of the result back.

#include "core/autocast.hpp"
#include "core/tensor.hpp"

namespace lora::detail {

/// The dtype of the operands or, for f32 under Autocast, bf16. Made in the forward pass and captured for the gradient, which is then
/// computed alike wherever it runs.
class ProductDType {
 public:
  explicit ProductDType(const Tensor& operand) : bf16_(operand.dtype() == DType::f32 && autocast_dtype() == DType::bf16) {}

  /// x as the kernels of its device multiply it: in bf16 on CUDA; on the CPU, whose kernels have none, in f32 with the numbers that bf16
  /// has. Axes keep their order in memory, undefined stays undefined; without bf16 it is x.
  Tensor operand(Tensor x) const {
    if (bf16_ && x.defined()) {
      return rounded_operand(x);
    }
    return x;
  }

  /// What a kernel made of such operands, rounded and in the caller's dtype.
  Tensor result(Tensor y) const {
    if (bf16_) {
      return rounded_result(y);
    }
    return y;
  }

 private:
  static Tensor rounded_operand(const Tensor& x);
  static Tensor rounded_result(const Tensor& y);

  bool bf16_;
};

}  // namespace lora::detail
