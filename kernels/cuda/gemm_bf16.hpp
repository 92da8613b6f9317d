#pragma once
// Products of bf16 matrices on tensor cores.

#include "kernels/cuda/gemm_product.hpp"
#include "kernels/table.hpp"

namespace lora::kernels::cuda {

/// Summed in f32. C is bf16 or float; no size is 0 but k.
template <class C>
void multiply_bf16(const Context& context, const Product<bf16, C>& g);

}  // namespace lora::kernels::cuda
