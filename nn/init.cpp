#include "nn/init.hpp"

#include <cmath>

#include "core/ops/random.hpp"

namespace lora::nn {

Tensor kaiming_uniform(const Shape& shape, Index fan_in, DType dtype, Generator& generator) {
  const double bound = fan_in > 0 ? 1.0 / std::sqrt(static_cast<double>(fan_in)) : 0.0;
  return uniform(shape, -bound, bound, dtype, generator);
}

}  // namespace lora::nn
