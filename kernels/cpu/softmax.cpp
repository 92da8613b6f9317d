// Rows softmax and softmax_grad. Lines along the axis are made one by one where they are contiguous, else many side by side.

#include <cmath>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/lines.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kColumns = 64;  // lines made side by side where they lie so
constexpr Index kShort = 32;    // lines up to here are copied into a tile,
constexpr Index kTile = 16;     // so many at a time, and made side by side there

/// total[j] = term(0, j) + .. + term(n-1, j) for `width` columns, rounded to T now and then only, as sum_of() does.
template <class T, class Term>
[[gnu::always_inline]] inline void sum_columns(Index n, Index width, T* total, const Term& term) {
  constexpr Index kRows = 64;
  double sums[kColumns] = {};
  for (Index begin = 0; begin < n; begin += kRows) {
    const Index end = std::min(n, begin + kRows);
    std::fill_n(total, width, T(0));
    for (Index i = begin; i < end; ++i) {
      each(width, [&](Index j) { total[j] += term(i, j); });
    }
    each(width, [&](Index j) { sums[j] += static_cast<double>(total[j]); });
  }
  each(width, [&](Index j) { total[j] = static_cast<T>(sums[j]); });
}

/// y of one line.
template <bool kLog, class T, bool kUnit>
void softmax_line(Index n, const Line<const T, kUnit>& x, const Line<T, kUnit>& y) {
  const T shift = largest_of(n, x);
  if constexpr (kLog) {
    const T log_sum = static_cast<T>(std::log(sum_of<T>(n, [=](Index i) { return fast_exp(x[i] - shift); })));
    each(n, [=](Index i) { y[i] = (x[i] - shift) - log_sum; });
  } else {
    const double total = sum_of<T>(n, [=](Index i) { return y[i] = fast_exp(x[i] - shift); });
    each(n, [=, scale = static_cast<T>(1.0 / total)](Index i) { y[i] *= scale; });
  }
}

/// y of `width` adjacent lines, whose values are sx and sy apart.
template <bool kLog, class T>
[[gnu::always_inline]] inline void softmax_columns(Index n, Index width, const T* x, Index sx, T* y, Index sy) {
  T shift[kColumns], total[kColumns];
  std::fill_n(shift, width, -std::numeric_limits<T>::infinity());
  for (Index i = 0; i < n; ++i) {
    each(width, [&, row = x + i * sx](Index j) { shift[j] = row[j] > shift[j] ? row[j] : shift[j]; });
  }
  sum_columns(n, width, total, [&](Index i, Index j) {
    const T power = fast_exp(x[i * sx + j] - shift[j]);
    if constexpr (!kLog) {
      y[i * sy + j] = power;
    }
    return power;
  });
  for (Index j = 0; j < width; ++j) {
    total[j] = kLog ? std::log(total[j]) : T(1) / total[j];
  }
  for (Index i = 0; i < n; ++i) {
    each(width, [&, row = x + i * sx, to = y + i * sy](Index j) { to[j] = kLog ? (row[j] - shift[j]) - total[j] : to[j] * total[j]; });
  }
}

/// Copies `width` lines of n values, in any strides, between an array and a tile.
template <class T>
void to_tile(Index n, Index width, const T* x, Index step, Index next, T* tile) {
  for (Index j = 0; j < width; ++j) {
    for (Index i = 0; i < n; ++i) {
      tile[i * kTile + j] = x[j * next + i * step];
    }
  }
}

template <class T>
void from_tile(Index n, Index width, const T* tile, T* y, Index step, Index next) {
  for (Index j = 0; j < width; ++j) {
    for (Index i = 0; i < n; ++i) {
      y[j * next + i * step] = tile[i * kTile + j];
    }
  }
}

template <bool kLog, class T>
void softmax_short(const LinePlan<2>& plan, const T* x, T* y) {
  walk_lines<kTile>(plan, [=, &plan](Index count, const Index(&offset)[2]) {
    T tile[kShort * kTile] = {};
    to_tile(plan.n, count, x + offset[1], plan.step[1], plan.kept.inner_stride(1), tile);
    softmax_columns<kLog>(plan.n, kTile, tile, kTile, tile, kTile);
    from_tile(plan.n, count, tile, y + offset[0], plan.step[0], plan.kept.inner_stride(0));
  });
}

template <bool kLog, bool kUnit, class T>
void softmax_lines(const LinePlan<2>& plan, const T* x, T* y) {
  walk_lines<1>(plan, [=, &plan](Index, const Index(&offset)[2]) {
    softmax_line<kLog>(plan.n, Line<const T, kUnit>{x + offset[1], plan.step[1]}, Line<T, kUnit>{y + offset[0], plan.step[0]});
  });
}

template <bool kLog, class T>
void softmax_side_by_side(const LinePlan<2>& plan, const T* x, T* y) {
  walk_lines<kColumns>(plan, [=, &plan](Index count, const Index(&offset)[2]) {
    if (count == kColumns) {
      softmax_columns<kLog>(plan.n, kColumns, x + offset[1], plan.step[1], y + offset[0], plan.step[0]);
    } else {
      softmax_columns<kLog>(plan.n, count, x + offset[1], plan.step[1], y + offset[0], plan.step[0]);
    }
  });
}

template <bool kLog, class T>
void softmax_of(const LinePlan<2>& plan, const T* x, T* y) {
  if (plan.adjacent() && plan.kept.inner_size() >= kTile) {
    softmax_side_by_side<kLog>(plan, x, y);
  } else if (plan.n <= kShort) {
    softmax_short<kLog>(plan, x, y);
  } else if (plan.unit_lines()) {
    softmax_lines<kLog, true>(plan, x, y);
  } else {
    softmax_lines<kLog, false>(plan, x, y);
  }
}

/// gx of one line.
template <bool kLog, class T, bool kUnit>
void grad_line(Index n, const Line<const T, kUnit>& y, const Line<const T, kUnit>& gy, const Line<T, kUnit>& gx) {
  const T total = static_cast<T>(sum_of<T>(n, [=](Index i) { return kLog ? gy[i] : gy[i] * y[i]; }));
  each(n, [=](Index i) { gx[i] = kLog ? gy[i] - fast_exp(y[i]) * total : y[i] * (gy[i] - total); });
}

/// gx of `width` adjacent lines.
template <bool kLog, class T>
[[gnu::always_inline]] inline void grad_columns(const LinePlan<3>& plan, Index width, const T* y, const T* gy, T* gx) {
  T total[kColumns];
  sum_columns(plan.n, width, total, [&](Index i, Index j) {
    const T slope = gy[i * plan.step[2] + j];
    return kLog ? slope : slope * y[i * plan.step[1] + j];
  });
  for (Index i = 0; i < plan.n; ++i) {
    const T *py = y + i * plan.step[1], *pg = gy + i * plan.step[2];
    T* to = gx + i * plan.step[0];
    each(width, [=, &total](Index j) { to[j] = kLog ? pg[j] - fast_exp(py[j]) * total[j] : py[j] * (pg[j] - total[j]); });
  }
}

template <bool kLog, class T>
void grad_side_by_side(const LinePlan<3>& plan, const T* y, const T* gy, T* gx) {
  walk_lines<kColumns>(plan, [=, &plan](Index count, const Index(&offset)[3]) {
    if (count == kColumns) {
      grad_columns<kLog>(plan, kColumns, y + offset[1], gy + offset[2], gx + offset[0]);
    } else {
      grad_columns<kLog>(plan, count, y + offset[1], gy + offset[2], gx + offset[0]);
    }
  });
}

template <bool kLog, class T>
void grad_short(const LinePlan<3>& plan, const T* y, const T* gy, T* gx) {
  LinePlan<3> in_tile = plan;
  std::fill_n(in_tile.step, 3, kTile);
  walk_lines<kTile>(plan, [=, &plan](Index count, const Index(&offset)[3]) {
    T first[kShort * kTile] = {}, second[kShort * kTile] = {};
    to_tile(plan.n, count, y + offset[1], plan.step[1], plan.kept.inner_stride(1), first);
    to_tile(plan.n, count, gy + offset[2], plan.step[2], plan.kept.inner_stride(2), second);
    grad_columns<kLog>(in_tile, kTile, first, second, first);
    from_tile(plan.n, count, first, gx + offset[0], plan.step[0], plan.kept.inner_stride(0));
  });
}

template <bool kLog, bool kUnit, class T>
void grad_lines(const LinePlan<3>& plan, const T* y, const T* gy, T* gx) {
  walk_lines<1>(plan, [=, &plan](Index, const Index(&offset)[3]) {
    grad_line<kLog>(plan.n, Line<const T, kUnit>{y + offset[1], plan.step[1]}, Line<const T, kUnit>{gy + offset[2], plan.step[2]},
                    Line<T, kUnit>{gx + offset[0], plan.step[0]});
  });
}

template <bool kLog, class T>
void grad_of(const LinePlan<3>& plan, const T* y, const T* gy, T* gx) {
  if (plan.adjacent() && plan.kept.inner_size() >= kTile) {
    grad_side_by_side<kLog>(plan, y, gy, gx);
  } else if (plan.n <= kShort) {
    grad_short<kLog>(plan, y, gy, gx);
  } else if (plan.unit_lines()) {
    grad_lines<kLog, true>(plan, y, gy, gx);
  } else {
    grad_lines<kLog, false>(plan, y, gy, gx);
  }
}

}  // namespace

void softmax(const Context&, bool log, int axis, const ConstView& x, const View& y) {
  const LinePlan<2> plan = plan_lines(y.shape, axis, {&y.strides, &x.strides});
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    log ? softmax_of<true>(plan, x.ptr<T>(), y.ptr<T>()) : softmax_of<false>(plan, x.ptr<T>(), y.ptr<T>());
  });
}

void softmax_grad(const Context&, bool log, int axis, const ConstView& y, const ConstView& gy, const View& gx) {
  const LinePlan<3> plan = plan_lines(gx.shape, axis, {&gx.strides, &y.strides, &gy.strides});
  visit_real(y.dtype, [&]<class T>(Tag<T>) {
    log ? grad_of<true>(plan, y.ptr<T>(), gy.ptr<T>(), gx.ptr<T>()) : grad_of<false>(plan, y.ptr<T>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
