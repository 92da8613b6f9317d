// Rows layer_norm and layer_norm_grad: a few lanes of a warp for a row, or the whole block if it is long. Sums are taken in double.

#include <cmath>

#include "kernels/cuda/block.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/norm_types.hpp"

namespace lora::kernels::cuda {
namespace {

/// The elements of a row that a thread visits: first, first + lanes, ..
struct RowWalk {
  Index row, first;
  bool leads;  // of the lanes of a row the one that writes its results
};

struct RowPlan {
  Index rows, columns;
  unsigned lanes;  // threads of a row: a power of two up to 32, or all

  /// Threads that are left over get no elements.
  __device__ RowWalk walk() const {
    const Index row = static_cast<Index>(blockIdx.x) * (kThreads / lanes) + threadIdx.x / lanes;
    const unsigned lane = threadIdx.x % lanes;
    const bool busy = row < rows;
    return {busy ? row : rows - 1, busy ? lane : columns, busy && lane == 0};
  }
};

RowPlan plan_rows(const Shape& shape) {
  constexpr Index kEach = 4, kLong = 1024;
  RowPlan plan{shape[0], shape[1], kThreads};
  if (plan.columns <= kLong) {
    for (plan.lanes = 1; plan.lanes < kWarp && plan.lanes * kEach < plan.columns;) {
      plan.lanes *= 2;
    }
  }
  return plan;
}

/// All lanes of a row get the sums of theirs.
__device__ Sums join_lanes(unsigned lanes, Sums sum) {
  if (lanes > kWarp) {
    return {block_sum(sum.first), block_sum(sum.second)};
  }
  for (unsigned distance = lanes / 2; distance > 0; distance /= 2) {
    sum.first += __shfl_xor_sync(kFullMask, sum.first, static_cast<int>(distance));
    sum.second += __shfl_xor_sync(kFullMask, sum.second, static_cast<int>(distance));
  }
  return sum;
}

template <class T>
struct LayerNorm {
  const T *x, *weight, *bias;
  double eps;
  T *mean, *rstd, *y;
};

/// In one pass, by distances from the first element, as batch_norm_stats does.
template <class T>
__global__ void layer_norm_kernel(RowPlan plan, LayerNorm<T> a) {
  using C = Compute<T>;
  const RowWalk walk = plan.walk();
  const Index m = plan.columns;
  const T* from = a.x + walk.row * m;
  T* to = a.y + walk.row * m;
  const double center = m > 0 ? wide(from[0]) : 0.0, share = 1.0 / static_cast<double>(m > 0 ? m : 1);
  Sums sum{0.0, 0.0};
  for (Index j = walk.first; j < m; j += plan.lanes) {
    const double distance = wide(from[j]) - center;
    sum = sum + Sums{distance, distance * distance};
  }
  sum = join_lanes(plan.lanes, sum);
  const double spread = share * (sum.second - sum.first * (sum.first * share));
  const C mean = static_cast<C>(center + sum.first * share);
  const C rstd = static_cast<C>(1.0 / std::sqrt((spread < 0.0 ? 0.0 : spread) + a.eps));
  for (Index j = walk.first; j < m; j += plan.lanes) {
    to[j] = static_cast<T>((loaded(from[j]) - mean) * rstd * value_or(a.weight, j, C(1)) + value_or(a.bias, j, C(0)));
  }
  if (walk.leads) {
    a.mean[walk.row] = static_cast<T>(mean);
    a.rstd[walk.row] = static_cast<T>(rstd);
  }
}

template <class T>
struct LayerNormGrad {
  const T *x, *gy, *mean, *rstd, *weight;
  T* gx;
};

template <class T>
__global__ void layer_norm_grad_kernel(RowPlan plan, LayerNormGrad<T> a) {
  using C = Compute<T>;
  const RowWalk walk = plan.walk();
  const Index m = plan.columns, start = walk.row * m;
  const C mean = loaded(a.mean[walk.row]), rstd = loaded(a.rstd[walk.row]);
  Sums sum{0.0, 0.0};
  for (Index j = walk.first; j < m; j += plan.lanes) {
    const double slope = wide(a.gy[start + j]) * static_cast<double>(value_or(a.weight, j, C(1)));
    sum = sum + Sums{slope, slope * (wide(a.x[start + j]) - static_cast<double>(mean))};
  }
  sum = join_lanes(plan.lanes, sum);
  const double share = 1.0 / static_cast<double>(m > 0 ? m : 1), r = static_cast<double>(rstd);
  const C offset = static_cast<C>(share * sum.first), tilt = static_cast<C>(share * sum.second * r * r);
  for (Index j = walk.first; j < m; j += plan.lanes) {
    const C slope = loaded(a.gy[start + j]) * value_or(a.weight, j, C(1));
    a.gx[start + j] = static_cast<T>(rstd * (slope - offset - (loaded(a.x[start + j]) - mean) * tilt));
  }
}

template <class A>
void launch_rows(const Context& context, Row row, const Shape& shape, void (*kernel)(RowPlan, A), const A& arrays) {
  const RowPlan plan = plan_rows(shape);
  const Index per_block = kThreads / plan.lanes;
  if (plan.rows > 0) {
    const LaunchShape blocks{blocks_for(plan.rows, per_block), dim3(kThreads)};
    launch(context, row, {{plan.rows, per_block}, {plan.columns, plan.lanes}}, blocks, kernel, plan, arrays);
  }
}

}  // namespace

void layer_norm(const Context& context, double eps, const ConstView& x, const NormAffine& affine, const RowNormOut& norm, const View& y) {
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    const LayerNorm<T> arrays{x.ptr<T>(), data_of<T>(affine.weight), data_of<T>(affine.bias), eps, norm.mean.ptr<T>(), norm.rstd.ptr<T>(),
                              y.ptr<T>()};
    launch_rows(context, Row::layer_norm, x.shape, layer_norm_kernel<T>, arrays);
  });
}

void layer_norm_grad(const Context& context, const ConstView& x, const ConstView& gy, const RowNorm& norm, const ConstView* weight,
                     const View& gx) {
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    const LayerNormGrad<T> arrays{x.ptr<T>(), gy.ptr<T>(), norm.mean.ptr<T>(), norm.rstd.ptr<T>(), data_of<T>(weight), gx.ptr<T>()};
    launch_rows(context, Row::layer_norm_grad, x.shape, layer_norm_grad_kernel<T>, arrays);
  });
}

}  // namespace lora::kernels::cuda
