// Rows cross_entropy and cross_entropy_grad.

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kLanes = 16;

/// Pieces of whole rows.
Index row_grain(Index columns) { return std::max<Index>(1, kGrain / 4 / std::max<Index>(1, columns)); }

/// Rows and columns of a matrix, and how to reach them.
template <class T>
struct Matrix {
  T* data;
  Index row, column;
  T* at(Index i) const { return data + i * row; }
};

template <class T>
Matrix<const T> matrix(const ConstView& v) {
  return {v.ptr<T>(), v.strides[0], v.strides[1]};
}

template <class T>
Matrix<T> matrix(const View& v) {
  return {v.ptr<T>(), v.strides[0], v.strides[1]};
}

template <class T>
T largest_of(Index n, const T* x, Index stride) {
  T largest = -std::numeric_limits<T>::infinity();
  for (Index i = 0; i < n; ++i) {
    largest = x[i * stride] > largest ? x[i * stride] : largest;
  }
  return largest;
}

/// Sum of exp(x - shift), a block of lanes at a time; the last block is filled up with exp(-inf) = 0.
template <class T>
T sum_of_exp(Index n, const T* x, Index stride, T shift) {
  T sums[kLanes] = {};
  for (Index i = 0; i < n; i += kLanes) {
    T block[kLanes];
    const Index here = std::min(kLanes, n - i);
    for (Index j = 0; j < kLanes; ++j) {
      block[j] = j < here ? x[(i + j) * stride] - shift : -std::numeric_limits<T>::infinity();
    }
    for (Index j = 0; j < kLanes; ++j) {
      sums[j] += fast_exp(block[j]);
    }
  }
  for (Index half = kLanes / 2; half > 0; half /= 2) {
    for (Index j = 0; j < half; ++j) {
      sums[j] += sums[j + half];
    }
  }
  return sums[0];
}

}  // namespace

void cross_entropy(const Context&, const ConstView& x, const ConstView& target, const View& log_probs, const View& loss) {
  const Index n = x.shape[0], m = x.shape[1], target_step = target.strides[0], loss_step = loss.strides[0];
  const Index* wanted = target.ptr<Index>();
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const auto in = matrix<T>(x);
    const auto out = matrix<T>(log_probs);
    T* losses = loss.ptr<T>();
    parallel_for(n, row_grain(m), [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T* row = in.at(i);
        T* to = out.at(i);
        const T shift = largest_of(m, row, in.column);
        const T log_sum = std::log(sum_of_exp(m, row, in.column, shift));
        for (Index j = 0; j < m; ++j) {
          to[j * out.column] = (row[j * in.column] - shift) - log_sum;
        }
        losses[i * loss_step] = -to[wanted[i * target_step] * out.column];
      }
    });
  });
}

void cross_entropy_grad(const Context&, const ConstView& log_probs, const ConstView& target, const ConstView& gy, const View& gx) {
  const Index n = gx.shape[0], m = gx.shape[1], target_step = target.strides[0], gy_step = gy.strides[0];
  const Index* wanted = target.ptr<Index>();
  visit_real(gx.dtype, [&]<class T>(Tag<T>) {
    const auto in = matrix<T>(log_probs);
    const auto out = matrix<T>(gx);
    const T* scales = gy.ptr<T>();
    parallel_for(n, row_grain(m), [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const T* row = in.at(i);
        T* to = out.at(i);
        const T scale = scales[i * gy_step];
        const Index hit = wanted[i * target_step];
        each(m, [=](Index j) { to[j * out.column] = scale * (fast_exp(row[j * in.column]) - (j == hit ? T(1) : T(0))); });
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
