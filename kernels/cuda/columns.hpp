#pragma once
// How threads share out a row-major matrix whose columns have each their own constants or sums: a thread stays in one column, and
// consecutive threads have neighbouring elements.

#include <algorithm>

#include "kernels/cuda/gpu.hpp"
#include "kernels/cuda/launch.hpp"

namespace lora::kernels::cuda {

/// The rows of one column that a thread visits: row, row + lanes, .. below `end`.
struct ColumnWalk {
  Index column, row, end;
};

/// A block has a tile of `width` columns and a piece of the rows; of these it takes `lanes` at a time.
struct ColumnPlan {
  Index rows, columns;
  Index tiles, pieces;
  Index piece;  // rows
  unsigned width, lanes;

  __device__ unsigned lane() const { return threadIdx.x / width; }
  __device__ Index piece_number() const { return blockIdx.x / tiles; }

  /// Threads that are left over get no rows.
  __device__ ColumnWalk walk() const {
    const Index column = blockIdx.x % tiles * width + threadIdx.x % width, first = piece_number() * piece;
    const Index end = std::min(rows, first + piece);
    const bool busy = lane() < lanes && column < columns;
    return {column, busy ? first + lane() : end, end};
  }
};

/// @param rows_each  how many rows a thread visits at least, where there are so many
/// @param most  blocks; more rows make longer pieces
inline ColumnPlan plan_columns(const Shape& shape, Index rows_each, Index most) {
  constexpr Index kWidest = 64;  // columns of a tile: whole cache lines, and threads enough for several rows
  ColumnPlan p{shape[0], shape[1], 0, 0, 0, 0, 0};
  p.tiles = std::max<Index>(1, (p.columns + kWidest - 1) / kWidest);
  p.width = static_cast<unsigned>(std::max<Index>(1, (p.columns + p.tiles - 1) / p.tiles));
  p.lanes = kThreads / p.width;
  const Index at_most = std::max<Index>(1, most / p.tiles);
  p.piece = std::max(p.lanes * rows_each, (p.rows + at_most - 1) / at_most);
  p.pieces = std::max<Index>(1, (p.rows + p.piece - 1) / p.piece);
  return p;
}

/// Without columns there is nothing to do; without rows there still are sums.
template <class... P, class... A>
void launch_columns(const Context& context, Row row, const ColumnPlan& plan, void (*kernel)(ColumnPlan, P...), const A&... args) {
  if (plan.columns > 0) {
    const LaunchShape shape{dim3(static_cast<unsigned>(plan.tiles * plan.pieces)), dim3(kThreads)};
    launch(context, row, {{plan.columns, plan.width}, {plan.rows, plan.piece}}, shape, kernel, plan, args...);
  }
}

}  // namespace lora::kernels::cuda
