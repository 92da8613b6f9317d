#pragma once
// What the normalisations share: two sums in double, and operands that may be left out.

#include "core/base/view.hpp"
#include "kernels/cuda/convert.hpp"
#include "kernels/cuda/gpu.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {

struct Sums {
  double first, second;
};

__device__ inline Sums operator+(const Sums& a, const Sums& b) { return {a.first + b.first, a.second + b.second}; }

template <class T>
__device__ inline double in_double(T value) {
  return static_cast<double>(widened(value));
}

template <class T>
__device__ inline Compute<T> value_or(const T* values, Index i, Compute<T> otherwise) {
  return values == nullptr ? otherwise : widened(values[i]);
}

/// Its address, or null.
template <class T>
const T* data_of(const ConstView* v) {
  return v == nullptr ? nullptr : v->ptr<T>();
}

}  // namespace lora::kernels::cuda
