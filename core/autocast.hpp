#pragma once
// Mixed precision: products in bf16 while weights, gradients and everything else stay f32.

#include "core/base/dtype.hpp"

namespace lora {

/// While it lives, products of f32 tensors on this thread are computed in bf16, as under torch.autocast with bfloat16:
///
///     y = float(round(scale * sum_k round(a_k) round(b_k) + round(addend)))
///
/// where round() is to bf16, to the nearest and ties to even. Rounded are the operands, the addend or bias, and the result; products and
/// sums are f32. That holds for matmul, linear, linear_add, conv2d, conv2d_add, conv2d_input and scaled_dot_product_attention, and for
/// their gradients: there the operands are the cotangent and the other operand of the forward pass. The addend's gradient is the cotangent
/// as it is. Results and gradients are f32 tensors, so weights are f32 master weights. Products of f64, and all other ops, are left as they
/// are.
///
/// What counts is where the forward pass ran: backward() computes in what the forward pass did, outside of the scope and on other threads
/// too, and so does a replayed checkpoint. Scopes nest, and each puts back what was before; Autocast(DType::f32) switches off inside one.
/// DType::bf16 has the range of f32, so no loss scaling is needed. CUDA has kernels for bf16. The CPU has none: there operands and results
/// are rounded around products of f32, which gives the same numbers up to the order of sums, and takes longer than f32.
///
/// @source Micikevicius et al. 2018, "Mixed precision training", arXiv:1710.03740; Kalamkar et al. 2019, "A study of bfloat16 for deep
/// learning training", arXiv:1905.12322
class Autocast {
 public:
  /// @param dtype  bf16, or f32 for products of the operands as they are. @throws Error for any other
  explicit Autocast(DType dtype);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  DType before_;
};

/// What products of f32 are computed in on this thread: f32, or bf16 inside an Autocast.
DType autocast_dtype();

}  // namespace lora
