#pragma once
// Random tensors and dropout. The same generator state gives the same random words on every device and for any number of threads, and so
// the same bits, but for the rounding of the logarithm and the sine in randn().

#include "core/base/rng.hpp"
#include "core/tensor.hpp"

namespace lora {

/// Uniform in [low, high); all `low` if they are equal. f32 or f64. @throws Error unless low <= high, both finite
Tensor uniform(const Shape& shape, double low, double high, DType dtype = DType::f32, Generator& generator = default_generator(),
               const Device& device = kCpu);

/// Normal with mean 0 and standard deviation 1, by Box-Muller. f32 or f64.
Tensor randn(const Shape& shape, DType dtype = DType::f32, Generator& generator = default_generator(), const Device& device = kCpu);

/// With probability p an element becomes 0, else x / (1 - p). Takes as many random words from the generator as x has elements.
/// @param p  in [0, 1); 0 gives x itself and takes nothing. @grad x; saves the place in the random sequence, not the mask
/// @source Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting"
Tensor dropout(const Tensor& x, double p, Generator& generator = default_generator());

}  // namespace lora
