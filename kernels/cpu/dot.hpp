#pragma once
// A matrix product by dot products, for operands whose summed axis is contiguous: nothing is packed, which pays where one side is short.

#include <algorithm>
#include <cstring>

#include "core/base/shape.hpp"

namespace lora::kernels::LORA_CPU_ISA {

#if defined(__AVX512F__)
inline constexpr std::size_t kVectorBytes = 64;
inline constexpr Index kDotRows = 4, kDotColumns = 4;
#elif defined(__AVX2__)
inline constexpr std::size_t kVectorBytes = 32;
inline constexpr Index kDotRows = 2, kDotColumns = 4;
#else
inline constexpr std::size_t kVectorBytes = 16;
inline constexpr Index kDotRows = 2, kDotColumns = 4;
#endif

template <class T>
struct VectorOf {
  using type [[gnu::vector_size(kVectorBytes)]] = T;
};
template <class T>
using Vector = typename VectorOf<T>::type;
template <class T>
inline constexpr Index kVectorSize = static_cast<Index>(kVectorBytes / sizeof(T));

template <class T>
[[gnu::always_inline]] inline Vector<T> load(const T* from) {
  Vector<T> value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

/// Sum of the lanes, in a fixed order.
template <class T>
[[gnu::always_inline]] inline T sum_of(const Vector<T>& value) {
  T lanes[kVectorSize<T>];
  std::memcpy(lanes, &value, sizeof(value));
  for (Index half = kVectorSize<T> / 2; half > 0; half /= 2) {
    for (Index i = 0; i < half; ++i) {
      lanes[i] += lanes[i + half];
    }
  }
  return lanes[0];
}

/// sums[i][j] = dot(a[i], b[j]) over k contiguous values. An element's bits do not depend on its place in the block.
template <class T>
void dot_block(Index k, const T* const (&a)[kDotRows], const T* const (&b)[kDotColumns], T (&sums)[kDotRows][kDotColumns]) {
  Vector<T> lanes[kDotRows][kDotColumns] = {};
  Index p = 0;
  for (; p + kVectorSize<T> <= k; p += kVectorSize<T>) {
    Vector<T> right[kDotColumns];
    for (Index j = 0; j < kDotColumns; ++j) {
      right[j] = load(b[j] + p);
    }
    for (Index i = 0; i < kDotRows; ++i) {
      const Vector<T> left = load(a[i] + p);
      for (Index j = 0; j < kDotColumns; ++j) {
        lanes[i][j] += left * right[j];
      }
    }
  }
  for (Index i = 0; i < kDotRows; ++i) {
    for (Index j = 0; j < kDotColumns; ++j) {
      T sum = sum_of<T>(lanes[i][j]);
      for (Index q = p; q < k; ++q) {
        sum += a[i][q] * b[j][q];
      }
      sums[i][j] = sum;
    }
  }
}

/// c += alpha a b^T for a [m, k] and b [n, k] with contiguous rows that lie a_row, b_row and c_row apart.
template <class T>
void multiply_by_dots(Index m, Index n, Index k, T alpha, const T* a, Index a_row, const T* b, Index b_row, T* c, Index c_row) {
  for (Index i = 0; i < m; i += kDotRows) {
    const T* left[kDotRows];
    for (Index r = 0; r < kDotRows; ++r) {
      left[r] = a + std::min(i + r, m - 1) * a_row;  // beyond the end: the last row again, its sums are dropped
    }
    for (Index j = 0; j < n; j += kDotColumns) {
      const T* right[kDotColumns];
      for (Index r = 0; r < kDotColumns; ++r) {
        right[r] = b + std::min(j + r, n - 1) * b_row;
      }
      T sums[kDotRows][kDotColumns];
      dot_block(k, left, right, sums);
      for (Index r = 0; r < std::min(kDotRows, m - i); ++r) {
        for (Index s = 0; s < std::min(kDotColumns, n - j); ++s) {
          c[(i + r) * c_row + j + s] += alpha * sums[r][s];
        }
      }
    }
  }
}

}  // namespace lora::kernels::LORA_CPU_ISA
