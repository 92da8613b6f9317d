// Rows layer_norm and layer_norm_grad: a team of threads for a row. Sums are taken in double.

#include <cmath>

#include "kernels/cuda/norm_types.hpp"
#include "kernels/cuda/team.hpp"

namespace lora::kernels::cuda {
namespace {

/// All threads of the team get the sums of theirs.
__device__ Sums join(const Team& team, const Sums& sum) {
  return {team.reduce(sum.first, 0.0, Plus{}), team.reduce(sum.second, 0.0, Plus{})};
}

template <class T>
struct LayerNorm {
  const T *x, *weight, *bias;
  double eps;
  T *mean, *rstd, *y;
};

/// In one pass, by distances from the first element, as batch_norm_stats does. Threads of a team without a row have no elements.
template <class T>
__global__ void layer_norm_kernel(Teams rows, LayerNorm<T> a) {
  using C = Compute<T>;
  const Team team{rows.size};
  const Index row = team.number(), start = row * rows.length, m = row < rows.count ? rows.length : 0;
  const double first = m > 0 ? in_double(a.x[start]) : 0.0, share = 1.0 / static_cast<double>(m > 0 ? m : 1);
  const double center = std::isfinite(first) ? first : 0.0;  // from infinity to itself it is NaN, but the mean is infinite
  Sums sum{0.0, 0.0};
  for (Index j = team.rank(); j < m; j += team.size) {
    const double distance = in_double(a.x[start + j]) - center;
    sum = sum + Sums{distance, distance * distance};
  }
  sum = join(team, sum);
  const double spread = share * (sum.second - sum.first * (sum.first * share));
  const C mean = static_cast<C>(center + sum.first * share);
  const C rstd = static_cast<C>(1.0 / std::sqrt((spread < 0.0 ? 0.0 : spread) + a.eps));
  for (Index j = team.rank(); j < m; j += team.size) {
    a.y[start + j] = static_cast<T>((widened(a.x[start + j]) - mean) * rstd * value_or(a.weight, j, C(1)) + value_or(a.bias, j, C(0)));
  }
  if (row < rows.count && team.rank() == 0) {
    a.mean[row] = static_cast<T>(mean);
    a.rstd[row] = static_cast<T>(rstd);
  }
}

template <class T>
struct LayerNormGrad {
  const T *x, *gy, *mean, *rstd, *weight;
  T* gx;
};

template <class T>
__global__ void layer_norm_grad_kernel(Teams rows, LayerNormGrad<T> a) {
  using C = Compute<T>;
  const Team team{rows.size};
  const Index row = team.number(), start = row * rows.length, m = row < rows.count ? rows.length : 0;
  const C mean = m > 0 ? widened(a.mean[row]) : C(0), rstd = m > 0 ? widened(a.rstd[row]) : C(0);
  Sums sum{0.0, 0.0};
  for (Index j = team.rank(); j < m; j += team.size) {
    const double slope = in_double(a.gy[start + j]) * static_cast<double>(value_or(a.weight, j, C(1)));
    sum = sum + Sums{slope, slope * (in_double(a.x[start + j]) - static_cast<double>(mean))};
  }
  sum = join(team, sum);
  const double share = 1.0 / static_cast<double>(m > 0 ? m : 1), r = static_cast<double>(rstd);
  const C offset = static_cast<C>(share * sum.first), tilt = static_cast<C>(share * sum.second * r * r);
  for (Index j = team.rank(); j < m; j += team.size) {
    const C slope = widened(a.gy[start + j]) * value_or(a.weight, j, C(1));
    a.gx[start + j] = static_cast<T>(rstd * (slope - offset - (widened(a.x[start + j]) - mean) * tilt));
  }
}

Teams teams_of(const Shape& shape) {
  const Index m = shape[1];
  return {shape[0], m, m <= kShort ? 1 : m <= kWarpValues ? kWarpTeam : kBlockTeam};
}

}  // namespace

void layer_norm(const Context& context, double eps, const ConstView& x, const NormAffine& affine, const RowNormOut& norm, const View& y) {
  const Teams rows = teams_of(x.shape);
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    const LayerNorm<T> arrays{x.ptr<T>(), data_of<T>(affine.weight), data_of<T>(affine.bias), eps, norm.mean.ptr<T>(), norm.rstd.ptr<T>(),
                              y.ptr<T>()};
    launch_teams(context, Row::layer_norm, rows, layer_norm_kernel<T>, rows, arrays);
  });
}

void layer_norm_grad(const Context& context, const ConstView& x, const ConstView& gy, const RowNorm& norm, const ConstView* weight,
                     const View& gx) {
  const Teams rows = teams_of(x.shape);
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    const LayerNormGrad<T> arrays{x.ptr<T>(), gy.ptr<T>(), norm.mean.ptr<T>(), norm.rstd.ptr<T>(), data_of<T>(weight), gx.ptr<T>()};
    launch_teams(context, Row::layer_norm_grad, rows, layer_norm_grad_kernel<T>, rows, arrays);
  });
}

}  // namespace lora::kernels::cuda
