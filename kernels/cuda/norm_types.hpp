#pragma once
// What the normalisations share: two sums in double, and values on the way to and from storage.

#include <algorithm>

#include "core/base/view.hpp"
#include "kernels/cuda/gpu.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {

struct Sums {
  double first, second;
};

__device__ inline Sums operator+(const Sums& a, const Sums& b) { return {a.first + b.first, a.second + b.second}; }

template <class T>
__device__ inline Compute<T> loaded(T value) {
  return static_cast<Compute<T>>(value);
}

template <class T>
__device__ inline double wide(T value) {
  return static_cast<double>(static_cast<Compute<T>>(value));
}

/// Rounded to Compute<T> first: bf16 is made from f32 alone.
template <class T>
__device__ inline T stored(double value) {
  return static_cast<T>(static_cast<Compute<T>>(value));
}

template <class T>
__device__ inline Compute<T> value_or(const T* values, Index i, Compute<T> otherwise) {
  return values == nullptr ? otherwise : loaded(values[i]);
}

/// Its address, or null.
template <class T>
const T* data_of(const ConstView* v) {
  return v == nullptr ? nullptr : v->ptr<T>();
}

}  // namespace lora::kernels::cuda
