// Rows batch_norm_stats, batch_norm_grad_sums and layer_norm_grad_sums: two sums over each column, taken in double. Pieces of the rows are
// summed by blocks of their own, and these sums by a second launch; the order is by the sizes alone.

#include <bit>
#include <cmath>

#include "core/base/memory.hpp"
#include "kernels/cuda/columns.hpp"
#include "kernels/cuda/norm_types.hpp"

namespace lora::kernels::cuda {
namespace {

/// Distances are taken from the first row, in one pass: as that is one of the values, at most the n-th part of the digits cancels when the
/// square of the mean distance is subtracted.
template <class T>
struct Moments {
  const T* x;
  double n;
  T *mean, *var;

  __device__ double column(Index j) const { return in_double(x[j]); }
  __device__ Sums term(double center, Index, Index at) const {
    const double distance = in_double(x[at]) - center;
    return {distance, distance * distance};
  }
  __device__ void finish(Index j, const Sums& sum) const {
    const double spread = (sum.second - sum.first * (sum.first / n)) / n;
    mean[j] = narrowed<T>(column(j) + sum.first / n);
    var[j] = narrowed<T>(spread < 0.0 ? 0.0 : spread);
  }
};

template <class T>
struct ColumnNormSums {
  const T *x, *gy, *mean, *var;
  double eps;
  T *sum_xhat, *sum;

  __device__ double column(Index j) const { return in_double(mean[j]); }
  __device__ Sums term(double center, Index, Index at) const {
    const double slope = in_double(gy[at]);
    return {slope * (in_double(x[at]) - center), slope};
  }
  __device__ void finish(Index j, const Sums& total) const {
    sum_xhat[j] = narrowed<T>(total.first / std::sqrt(in_double(var[j]) + eps));
    sum[j] = narrowed<T>(total.second);
  }
};

template <class T>
struct RowNormSums {
  const T *x, *gy, *mean, *rstd;
  T *sum_xhat, *sum;

  __device__ double column(Index) const { return 0.0; }
  __device__ Sums term(double, Index row, Index at) const {
    const double slope = in_double(gy[at]);
    return {slope * ((in_double(x[at]) - in_double(mean[row])) * in_double(rstd[row])), slope};
  }
  __device__ void finish(Index j, const Sums& total) const {
    sum_xhat[j] = narrowed<T>(total.first);
    sum[j] = narrowed<T>(total.second);
  }
};

/// The sums of pieces, a row each, as what is summed.
template <class Op>
struct OfPieces {
  Op op;
  const Sums* parts;

  __device__ double column(Index) const { return 0.0; }
  __device__ Sums term(double, Index, Index at) const { return parts[at]; }
  __device__ void finish(Index j, const Sums& sum) const { op.finish(j, sum); }
};

/// The threads of lane 0 get the sums of all lanes in their columns.
__device__ Sums join_lanes(const ColumnPlan& plan, const Sums& mine) {
  GPU_SHARED(Sums, parts, [kThreads]);
  const unsigned t = threadIdx.x, lane = plan.lane();
  parts[t] = mine;
  __syncthreads();
  for (unsigned half = std::bit_ceil(plan.lanes) / 2; half > 0; half /= 2) {
    if (lane < half && lane + half < plan.lanes) {
      parts[t] = parts[t] + parts[t + half * plan.width];
    }
    __syncthreads();
  }
  return parts[t];
}

/// `parts` null: the rows are one piece, whose sums are the results.
template <class Op>
__global__ void sum_columns(ColumnPlan plan, Op op, Sums* parts) {
  const ColumnWalk walk = plan.walk();
  Sums sum{0.0, 0.0};
  if (walk.row < walk.end) {
    const double center = op.column(walk.column);
#pragma unroll 4
    for (Index row = walk.row; row < walk.end; row += plan.lanes) {
      sum = sum + op.term(center, row, row * plan.columns + walk.column);
    }
  }
  sum = join_lanes(plan, sum);
  if (plan.lane() == 0 && walk.column < plan.columns) {
    if (parts == nullptr) {
      op.finish(walk.column, sum);
    } else {
      parts[plan.piece_number() * plan.columns + walk.column] = sum;
    }
  }
}

template <class Op>
void column_sums(const Context& context, Row row, const Shape& shape, const Op& op) {
  constexpr Index kRowsEach = 32, kBlocks = 1024;
  const ColumnPlan plan = plan_columns(shape, kRowsEach, kBlocks);
  if (plan.pieces == 1) {
    return launch_columns(context, row, plan, sum_columns<Op>, op, nullptr);
  }
  const Scratch scratch(static_cast<std::size_t>(plan.pieces * plan.columns) * sizeof(Sums), context.device);
  Sums* parts = scratch.ptr<Sums>();
  launch_columns(context, row, plan, sum_columns<Op>, op, parts);
  const ColumnPlan join = plan_columns({plan.pieces, plan.columns}, plan.pieces, plan.tiles);
  launch_columns(context, row, join, sum_columns<OfPieces<Op>>, OfPieces<Op>{op, parts}, nullptr);
}

}  // namespace

void batch_norm_stats(const Context& context, const ConstView& x, const View& mean, const View& var) {
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    const Moments<T> op{x.ptr<T>(), static_cast<double>(x.shape[0]), mean.ptr<T>(), var.ptr<T>()};
    column_sums(context, Row::batch_norm_stats, x.shape, op);
  });
}

void batch_norm_grad_sums(const Context& context, const ConstView& x, const ConstView& gy, const ColumnNorm& norm, const View& sum_xhat,
                          const View& sum) {
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    const ColumnNormSums<T> op{x.ptr<T>(), gy.ptr<T>(), norm.mean.ptr<T>(), norm.var.ptr<T>(), norm.eps, sum_xhat.ptr<T>(), sum.ptr<T>()};
    column_sums(context, Row::batch_norm_grad_sums, x.shape, op);
  });
}

void layer_norm_grad_sums(const Context& context, const ConstView& x, const ConstView& gy, const RowNorm& norm, const View& sum_xhat,
                          const View& sum) {
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    const RowNormSums<T> op{x.ptr<T>(), gy.ptr<T>(), norm.mean.ptr<T>(), norm.rstd.ptr<T>(), sum_xhat.ptr<T>(), sum.ptr<T>()};
    column_sums(context, Row::layer_norm_grad_sums, x.shape, op);
  });
}

}  // namespace lora::kernels::cuda
