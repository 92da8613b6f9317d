// Rows batch_norm and batch_norm_grad: each element by the constants of its column.

#include <cmath>

#include "kernels/cuda/columns.hpp"
#include "kernels/cuda/norm_types.hpp"

namespace lora::kernels::cuda {
namespace {

template <class T>
struct Normalise {
  using C = Compute<T>;
  const T *x, *mean, *var, *weight, *bias;
  C eps;
  T* y;

  struct Column {
    C mean, scale, shift;
  };
  __device__ Column column(Index j) const {
    return {widened(mean[j]), value_or(weight, j, C(1)) / std::sqrt(widened(var[j]) + eps), value_or(bias, j, C(0))};
  }
  __device__ void apply(const Column& c, Index at) const { y[at] = static_cast<T>((widened(x[at]) - c.mean) * c.scale + c.shift); }
};

/// Without sums mean and var are constants, and x is not read.
template <class T>
struct NormaliseGrad {
  using C = Compute<T>;
  const T *x, *gy, *mean, *var, *weight, *sum_xhat, *sum;
  C eps, share;
  T* gx;

  struct Column {
    C scale, mean, tilt, offset;
  };
  __device__ Column column(Index j) const {
    const C rstd = C(1) / std::sqrt(widened(var[j]) + eps);
    return {rstd * value_or(weight, j, C(1)), widened(mean[j]), value_or(sum_xhat, j, C(0)) * share * rstd, value_or(sum, j, C(0)) * share};
  }
  __device__ void apply(const Column& c, Index at) const {
    const C slope = sum_xhat == nullptr ? widened(gy[at]) : widened(gy[at]) - c.offset - (widened(x[at]) - c.mean) * c.tilt;
    gx[at] = static_cast<T>(c.scale * slope);
  }
};

template <class Op>
__global__ void map_columns(ColumnPlan plan, Op op) {
  const ColumnWalk walk = plan.walk();
  if (walk.row < walk.end) {
    const auto constants = op.column(walk.column);
#pragma unroll 4
    for (Index row = walk.row; row < walk.end; row += plan.lanes) {
      op.apply(constants, row * plan.columns + walk.column);
    }
  }
}

template <class Op>
void map(const Context& context, Row row, const Shape& shape, const Op& op) {
  constexpr Index kRowsEach = 8, kBlocks = Index{1} << 30;
  if (shape.numel() > 0) {
    launch_columns(context, row, plan_columns(shape, kRowsEach, kBlocks), map_columns<Op>, op);
  }
}

}  // namespace

void batch_norm(const Context& context, const ConstView& x, const ColumnNorm& norm, const NormAffine& affine, const View& y) {
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    const Normalise<T> op{x.ptr<T>(),
                          norm.mean.ptr<T>(),
                          norm.var.ptr<T>(),
                          data_of<T>(affine.weight),
                          data_of<T>(affine.bias),
                          static_cast<Compute<T>>(norm.eps),
                          y.ptr<T>()};
    map(context, Row::batch_norm, x.shape, op);
  });
}

void batch_norm_grad(const Context& context, const ConstView& x, const ConstView& gy, const ColumnNorm& norm, const ColumnNormGrad& grad,
                     const View& gx) {
  visit_stored(gy.dtype, [&]<class T>(Tag<T>) {
    const auto share = Compute<T>(1) / static_cast<Compute<T>>(std::max<Index>(1, gy.shape[0]));
    const NormaliseGrad<T> op{x.ptr<T>(),
                              gy.ptr<T>(),
                              norm.mean.ptr<T>(),
                              norm.var.ptr<T>(),
                              data_of<T>(grad.weight),
                              data_of<T>(grad.sum_xhat),
                              data_of<T>(grad.sum),
                              static_cast<Compute<T>>(norm.eps),
                              share,
                              gx.ptr<T>()};
    map(context, Row::batch_norm_grad, gy.shape, op);
  });
}

}  // namespace lora::kernels::cuda
