#pragma once
// Matrix products on one thread whose right operand is read in panels of neighbouring columns, and whose left operand is not packed at
// all: what convolutions need, where both are made or reordered anyway.

#include <algorithm>
#include <cstring>

#include "core/base/shape.hpp"
#include "kernels/cpu/dot.hpp"

namespace lora::kernels::LORA_CPU_ISA {

#if defined(__AVX512F__)
// With two vectors each they fill the registers; f64 makes do with fewer, as each number of rows is code of its own.
template <class T>
inline constexpr std::size_t kBlockRows = sizeof(T) == 4 ? 14 : 7;
#else
template <class T>
inline constexpr std::size_t kBlockRows = 6;
#endif
inline constexpr Index kDepth = 512;  // terms added in registers before a block of the result is read and written

/// Columns of a panel.
template <class T>
inline constexpr Index kPanel = 2 * kVectorSize<T>;

/// Element (i, p) is data[i * row + p * step].
template <class T>
struct LeftRows {
  const T* data;
  Index row, step;
};

/// Element (p, j) of panel q is data[q * panel + p * step + j]. Columns are there up to the next multiple of a vector.
template <class T>
struct Panels {
  const T* data;
  Index panel, step;
};

/// Element (i, j) is data[i * row + j].
template <class T>
struct ResultRows {
  T* data;
  Index row;
};

template <class T>
[[gnu::always_inline]] inline void store(const Vector<T>& value, T* to) {
  std::memcpy(to, &value, sizeof(value));
}

/// c += sums, of which only the first `columns` columns are part of c.
template <std::size_t kRows, std::size_t kVectors, class T>
[[gnu::always_inline]] inline void add_block(const Vector<T> (&sums)[kRows][kVectors], const ResultRows<T>& c, Index columns) {
  constexpr auto kWidth = static_cast<Index>(kVectors) * kVectorSize<T>;
  T* to = c.data;
#pragma GCC unroll 16  // with a loop the sums would have to be in memory
  for (std::size_t i = 0; i < kRows; ++i) {
    if (columns >= kWidth) {
      for (std::size_t j = 0; j < kVectors; ++j) {
        T* place = to + static_cast<Index>(j) * kVectorSize<T>;
        store<T>(load(place) + sums[i][j], place);
      }
    } else {
      T lanes[kPanel<T>];
      for (std::size_t j = 0; j < kVectors; ++j) {
        store<T>(sums[i][j], lanes + static_cast<Index>(j) * kVectorSize<T>);
      }
      for (Index j = 0; j < columns; ++j) {
        to[j] += lanes[j];
      }
    }
    to += c.row;
  }
}

/// One block of a product: c += a b over `rows` rows, `columns` columns of one panel and k terms.
template <class T>
struct Block {
  LeftRows<T> a;
  const T* b;
  Index b_step;
  ResultRows<T> c;
  Index rows, columns, k;
};

/// The block, for kRows rows and the columns of kVectors vectors. An element's terms are added in one order, whatever kRows is.
template <std::size_t kRows, std::size_t kVectors, class T>
void multiply_block(const Block<T>& block) {
  constexpr std::size_t kGroups = (kRows + 2) / 3;  // of three rows, which one pointer and one distance reach: fewer registers than rows
  const Index row = block.a.row, step = block.a.step, b_step = block.b_step;
  const T* group[kGroups];
  for (std::size_t g = 0; g < kGroups; ++g) {
    group[g] = block.a.data + static_cast<Index>(3 * g) * row;
  }
  const T* b = block.b;
  Vector<T> sums[kRows][kVectors] = {};
  for (Index p = 0; p < block.k; ++p) {
    Vector<T> right[kVectors];
    for (std::size_t j = 0; j < kVectors; ++j) {
      right[j] = load(b + static_cast<Index>(j) * kVectorSize<T>);
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kRows; ++i) {
      const T left = group[i / 3][static_cast<Index>(i % 3) * row];
      for (std::size_t j = 0; j < kVectors; ++j) {
        sums[i][j] += left * right[j];
      }
    }
    b += b_step;
    for (const T*& pointer : group) {
      pointer += step;
    }
  }
  add_block<kRows, kVectors, T>(sums, block.c, block.columns);
}

template <std::size_t kRows, std::size_t kVectors, class T>
void multiply_rows(const Block<T>& block) {
  if (block.rows == static_cast<Index>(kRows)) {
    multiply_block<kRows, kVectors, T>(block);
  } else if constexpr (kRows > 1) {
    multiply_rows<kRows - 1, kVectors, T>(block);
  }
}

/// c += a b for a [m, k] and b [k, n]; c must not overlap them.
template <class T>
void multiply(Index m, Index n, Index k, const LeftRows<T>& a, const Panels<T>& b, const ResultRows<T>& c) {
  const Index blocks = (m - 1) / static_cast<Index>(kBlockRows<T>) + 1;  // of nearly equal size
  for (Index p = 0; p < k; p += kDepth) {
    for (Index j = 0; j < n; j += kPanel<T>) {
      const T* panel = b.data + j / kPanel<T> * b.panel + p * b.step;
      for (Index i = 0, left = blocks; i < m; --left) {
        const Index rows = (m - i - 1) / left + 1, columns = std::min(kPanel<T>, n - j);
        const Block<T> block{{a.data + i * a.row + p * a.step, a.row, a.step},
                             panel,
                             b.step,
                             {c.data + i * c.row + j, c.row},
                             rows,
                             columns,
                             std::min(kDepth, k - p)};
        if (columns > kVectorSize<T>) {
          multiply_rows<kBlockRows<T>, 2, T>(block);
        } else {
          multiply_rows<kBlockRows<T>, 1, T>(block);
        }
        i += rows;
      }
    }
  }
}

}  // namespace lora::kernels::LORA_CPU_ISA
