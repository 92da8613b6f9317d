#pragma once
// A product as its kernels and libraries take it.

#include <type_traits>

#include "core/base/view.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {

/// A batch of matrices: element (i, j) of matrix s is data[s * batch + i * row + j * column].
template <class T>
struct Matrices {
  T* data;
  Index batch, row, column;

  Matrices transposed() const { return {data, batch, column, row}; }
};

template <class T, class V>
Matrices<T> matrices(const V& v) {
  return {v.template ptr<std::remove_const_t<T>>(), v.strides[0], v.strides[1], v.strides[2]};
}

/// c = alpha a b + addend, with a and b of type T, addend and c of type C; addend null for 0.
template <class T, class C = T>
struct Product {
  Index batch, m, n, k;
  Compute<T> alpha;
  Matrices<const T> a, b;
  Matrices<const C> addend;
  Matrices<C> c;

  /// The same product of the transposes.
  Product transposed() const { return {batch, n, m, k, alpha, b.transposed(), a.transposed(), addend.transposed(), c.transposed()}; }
};

}  // namespace lora::kernels::cuda
