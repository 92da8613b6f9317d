#pragma once
// Copies between arrays of which different axes are the adjacent ones, by tiles: both reads and writes run along memory.

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/layout.hpp"

namespace lora::kernels::cuda {

inline constexpr Index kTransposeTile = 32;
inline constexpr Index kTransposeRows = 8;  // that a block moves at a time

/// Where a tile begins and how much of it there is.
struct TransposeTile {
  Index in, out;
  Index rows, columns;
};

/// Matrices whose columns are adjacent in the input, and whose rows in the output.
struct Transpose {
  Index rows = 0, columns = 0;
  Index in_row = 0, out_column = 0;  // strides
  Layout<2> matrices;                // in the output and the input

  __host__ __device__ static Index tiles_of(Index n) { return (n + kTransposeTile - 1) / kTransposeTile; }
  /// 0 where a copy is no transpose.
  Index tiles() const { return rows == 0 ? 0 : tiles_of(rows) * tiles_of(columns) * matrices.numel; }

  __device__ TransposeTile tile(Index number) const {
    const Index across = tiles_of(columns), each = across * tiles_of(rows);
    const Index inside = number % each;
    const Index row = inside / across * kTransposeTile, column = inside % across * kTransposeTile;
    Index offset[2];
    matrices.locate(number / each, offset);
    return {offset[1] + row * in_row + column, offset[0] + column * out_column + row, shorter(rows - row), shorter(columns - column)};
  }

 private:
  __device__ static Index shorter(Index n) { return n < kTransposeTile ? n : kTransposeTile; }
};

/// The copy of array 1 to array 0 as a transpose; without tiles if it is none, or one of few rows or columns, which would leave most
/// threads of a tile idle.
inline Transpose transpose_of(const Layout<2>& at) {
  const int last = at.ndim - 1;
  int adjacent = 0;
  while (adjacent < last && at.stride[1][adjacent] != 1) {
    ++adjacent;
  }
  Transpose t;
  if (adjacent >= last || at.stride[0][last] != 1 || 2 * at.size[last] < kTransposeTile || 2 * at.size[adjacent] < kTransposeTile) {
    return t;
  }
  t.rows = at.size[last];
  t.columns = at.size[adjacent];
  t.in_row = at.stride[1][last];
  t.out_column = at.stride[0][adjacent];
  for (int d = 0; d < last; ++d) {
    if (d != adjacent) {
      t.matrices.numel *= at.size[d];
      t.matrices.size[t.matrices.ndim] = at.size[d];
      t.matrices.stride[0][t.matrices.ndim] = at.stride[0][d];
      t.matrices.stride[1][t.matrices.ndim] = at.stride[1][d];
      ++t.matrices.ndim;
    }
  }
  return t;
}

/// A block for each tile.
template <class... P, class... A>
void launch_transpose(const Context& context, Row row, const Transpose& t, void (*kernel)(P...), const A&... args) {
  const LaunchShape shape{blocks_for(t.tiles(), 1), dim3(kTransposeTile, kTransposeRows)};
  launch(context, row, {{t.rows, kTransposeTile}, {t.columns, kTransposeTile}, {t.matrices.numel, 1}}, shape, kernel, t, args...);
}

}  // namespace lora::kernels::cuda
