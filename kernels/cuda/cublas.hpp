#pragma once
// Matrix products by cuBLASLt.

#include "kernels/cuda/gemm_product.hpp"
#include "kernels/table.hpp"

namespace lora::kernels::cuda {

/// Computes the product, of f32 in f32 (no TF32), of bf16 summed in f32. No size is 0.
/// @return false if the library has no algorithm for operands that lie so; then nothing was done
template <class T, class C>
bool multiply_by_cublas(const Context& context, const Product<T, C>& g);

}  // namespace lora::kernels::cuda
