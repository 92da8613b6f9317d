#pragma once
// Kernels that work along one axis: lines of values along it, in any strides, side by side along the other axes.

#include <algorithm>
#include <limits>

#include "core/base/view.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {

/// Values `step` apart; kUnit: adjacent, so that loops over them vectorise.
template <class T, bool kUnit>
struct Line {
  T* data;
  Index step;
  T& operator[](Index i) const { return data[kUnit ? i : i * step]; }
};

/// N arrays of one shape as lines of n values.
template <std::size_t N>
struct LinePlan {
  Walk<N> kept;
  Index n = 0;
  Index step[N];

  bool unit_lines() const { return all_one(step); }
  /// Whether neighbouring lines are adjacent in all arrays.
  bool adjacent() const {
    Index next[N];
    for (std::size_t k = 0; k < N; ++k) {
      next[k] = kept.inner_stride(k);
    }
    return all_one(next);
  }

 private:
  static bool all_one(const Index (&strides)[N]) {
    return std::all_of(strides, strides + N, [](Index stride) { return stride == 1; });
  }
};

/// Lines along `axis`. An array may lack the axis if it is the last.
template <std::size_t N>
LinePlan<N> plan_lines(const Shape& shape, int axis, const Shape* const (&strides)[N]) {
  LinePlan<N> plan;
  for (int i = 0; i < shape.ndim(); ++i) {
    Index stride[N];
    for (std::size_t k = 0; k < N; ++k) {
      stride[k] = i < strides[k]->ndim() ? (*strides[k])[i] : 0;
    }
    if (i == axis) {
      plan.n = shape[i];
      std::copy_n(stride, N, plan.step);
    } else {
      plan.kept.add(shape[i], stride);
    }
  }
  plan.kept.finish();
  return plan;
}

/// Calls lines(count, offsets) for neighbouring lines, at most kWidth of them at a time; in parallel.
template <Index kWidth, std::size_t N, class Lines>
void walk_lines(const LinePlan<N>& plan, const Lines& lines) {
  const Index grain = (kGrain / 4 / std::max<Index>(1, plan.n) / kWidth + 1) * kWidth;
  parallel_for(plan.kept.numel, grain, [&](Index begin, Index end) {
    walk_range(plan.kept, begin, end, [&](Index count, const Index(&start)[N]) {
      Index offset[N];
      std::copy_n(start, N, offset);
      for (Index at = 0; at < count; at += kWidth) {
        lines(std::min(kWidth, count - at), static_cast<const Index(&)[N]>(offset));
        for (std::size_t k = 0; k < N; ++k) {
          offset[k] += kWidth * plan.kept.inner_stride(k);
        }
      }
    });
  });
}

inline constexpr Index kLineLanes = 32;  // independent chains along a line

/// The first lane after all were joined in pairs.
template <class T, class Join>
T join_lanes(T (&lanes)[kLineLanes], const Join& join) {
  for (Index half = kLineLanes / 2; half > 0; half /= 2) {
    for (Index j = 0; j < half; ++j) {
      lanes[j] = join(lanes[j], lanes[j + half]);
    }
  }
  return lanes[0];
}

/// The largest of n values that are not NaN; -inf of none.
template <class T, bool kUnit>
T largest_of(Index n, const Line<const T, kUnit>& x) {
  T lanes[kLineLanes];
  std::fill_n(lanes, kLineLanes, -std::numeric_limits<T>::infinity());
  const auto larger = [](T a, T b) { return b > a ? b : a; };
  Index i = 0;
  for (; i + kLineLanes <= n; i += kLineLanes) {
    for (Index j = 0; j < kLineLanes; ++j) {
      lanes[j] = larger(lanes[j], x[i + j]);
    }
  }
  for (Index j = 0; i < n; ++i, ++j) {
    lanes[j] = larger(lanes[j], x[i]);
  }
  return join_lanes(lanes, larger);
}

/// term(0) + .. + term(n-1), rounded to T now and then only: lanes of at most 64 terms, which are added in double.
template <class T, class Term>
[[gnu::always_inline]] inline double sum_of(Index n, const Term& term) {
  double total = 0.0;
  for (Index begin = 0; begin < n; begin += 64 * kLineLanes) {
    const Index end = std::min(n, begin + 64 * kLineLanes);
    T lanes[kLineLanes] = {};
    Index i = begin;
    for (; i + kLineLanes <= end; i += kLineLanes) {
      each(kLineLanes, [&](Index j) { lanes[j] += term(i + j); });
    }
    each(end - i, [&](Index j) { lanes[j] += term(i + j); });
    total += static_cast<double>(join_lanes(lanes, [](T a, T b) { return a + b; }));
  }
  return total;
}

}  // namespace lora::kernels::LORA_CPU_ISA
