#pragma once
// The choice between our own kernels and NVIDIA's libraries for matrix products and convolutions: here and nowhere else.

#include "core/base/shape.hpp"

namespace lora::kernels::cuda {

/// Who multiplies: by size, or always our kernels, or the libraries wherever they can.
enum class Products { automatic, own, library };

/// From the environment's LORA_CUDA_PRODUCTS: auto, own or library. Tests may change it.
/// @throws Error if it is something else
Products& products();

/// Whether a product of that many multiplications, with a result whose shorter side is `side`, goes to the library.
bool prefers_library(Index multiplications, Index side);

}  // namespace lora::kernels::cuda
