// Rows gather and scatter_add: elements picked by an index along one axis, and added back.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// A bool as it lies in memory: moved as it is, whatever the byte.
struct Truth {
  std::uint8_t byte;
};

Shape without_stride(Shape strides, int dim) {
  strides[dim] = 0;
  return strides;
}

/// How far it is to the next element, in three arrays.
struct Steps {
  Index y, x, index;
};

/// `n` elements of y; `along` is x's stride on the axis of the index.
template <class T>
void gather_row(Index n, const Steps& step, Index along, const T* x, const Index* index, T* y) {
  if (step.index != 0) {
    if (step.y == 1 && step.x == 0 && step.index == 1) {
      each(n, [=](Index j) { y[j] = x[index[j] * along]; });
      return;
    }
    for (Index j = 0; j < n; ++j) {
      y[j * step.y] = x[j * step.x + index[j * step.index] * along];
    }
    return;
  }
  x += index[0] * along;
  if (step.x == 1 && step.y == 1) {
    std::memcpy(y, x, static_cast<std::size_t>(n) * sizeof(T));
    return;
  }
  for (Index j = 0; j < n; ++j) {
    y[j * step.y] = x[j * step.x];
  }
}

template <class T>
void gather_all(int dim, const ConstView& x, const ConstView& index, const View& y) {
  const Shape x_strides = without_stride(x.strides, dim);
  const Index along = x.strides[dim];
  const auto walk = make_walk(y.shape, {&y.strides, &x_strides, &index.strides});
  const Steps step{walk.inner_stride(0), walk.inner_stride(1), walk.inner_stride(2)};
  walk_parallel(walk, [=, from = x.ptr<T>(), at = index.ptr<Index>(), to = y.ptr<T>()](Index n, const Index(&offset)[3]) {
    gather_row(n, step, along, from + offset[1], at + offset[2], to + offset[0]);
  });
}

constexpr Index kLines = 64;  // neighbouring lines that are added to together
constexpr Index kPieces = 8;  // enough for a few threads
constexpr Index kMinRow = 8;  // elements worth passing over an index for

/// The work of scatter_add: lines along `dim`, which are independent of each other. Pieces are blocks of lines, and where these are few,
/// ranges of y's places too: every piece then goes through the whole index and leaves out the places of others. So what is added to an
/// element comes from one piece, in order.
struct ScatterPlan {
  Walk<3> lines;  // y, x, index
  Steps line, along;
  Index length = 0;  // elements of x on a line
  Index places = 0;  // elements of y on a line
  Index width = 1, blocks = 0, ranges = 1;

  bool same_index() const { return line.index == 0; }
};

ScatterPlan plan_scatter(int dim, const ConstView& index, const ConstView& x, const View& y) {
  ScatterPlan plan;
  for (int i = 0; i < x.shape.ndim(); ++i) {
    if (i != dim) {
      plan.lines.add(x.shape[i], {y.strides[i], x.strides[i], index.strides[i]});
    }
  }
  plan.lines.finish();
  plan.line = {plan.lines.inner_stride(0), plan.lines.inner_stride(1), plan.lines.inner_stride(2)};
  plan.along = {y.strides[dim], x.strides[dim], index.strides[dim]};
  plan.length = x.shape[dim];
  plan.places = y.shape[dim];
  const Index lines = plan.lines.numel;
  if (lines > 0 && plan.length > 0) {
    plan.width = std::max<Index>(plan.same_index() ? kLines : 1, kGrain / plan.length);
    plan.blocks = (lines - 1) / plan.width + 1;
    const bool wide = plan.same_index() && plan.lines.inner_size() >= kMinRow;
    const bool few = plan.blocks < kPieces && lines * plan.length > 2 * kGrain;
    plan.ranges = wide && few ? std::min(plan.places, kPieces / plan.blocks) : 1;
  }
  return plan;
}

/// A stretch of neighbouring lines, and the places of y that are added to.
template <class T>
struct Stretch {
  T* y;
  const T* x;
  const Index* index;
  Index lines, low, high;
};

template <class T>
void add_row(Index n, const T* from, Index in, T* to, Index out) {
  if (in == 1 && out == 1) {
    each(n, [=](Index j) { to[j] += from[j]; });
    return;
  }
  for (Index j = 0; j < n; ++j) {
    to[j * out] += from[j * in];
  }
}

/// One index for all lines of the stretch.
template <class T>
void add_rows(const ScatterPlan& plan, const Stretch<T>& s) {
  for (Index i = 0; i < plan.length; ++i) {
    const Index place = s.index[i * plan.along.index];
    if (place >= s.low && place < s.high) {
      add_row(s.lines, s.x + i * plan.along.x, plan.line.x, s.y + place * plan.along.y, plan.line.y);
    }
  }
}

/// An index for each element. The inner loop goes over what is nearer in memory; a line's elements come in order in both.
template <class T>
void add_elements(const ScatterPlan& plan, const Stretch<T>& s) {
  const Steps along{0, plan.along.x, plan.along.index};
  const bool along_inside = plan.along.y <= plan.line.y;
  const Steps &outer = along_inside ? plan.line : along, &inner = along_inside ? along : plan.line;
  const Index n = along_inside ? s.lines : plan.length, m = along_inside ? plan.length : s.lines;
  for (Index i = 0; i < n; ++i) {
    T* y = s.y + i * outer.y;
    const T* x = s.x + i * outer.x;
    const Index* index = s.index + i * outer.index;
    for (Index j = 0; j < m; ++j) {
      y[j * inner.y + index[j * inner.index] * plan.along.y] += x[j * inner.x];
    }
  }
}

template <class T>
void add_piece(const ScatterPlan& plan, Index piece, const Stretch<T>& all) {
  const Index block = piece / plan.ranges, range = piece % plan.ranges;
  const Index begin = block * plan.width, end = std::min(plan.lines.numel, begin + plan.width);
  const Index low = plan.places * range / plan.ranges, high = plan.places * (range + 1) / plan.ranges;
  walk_range(plan.lines, begin, end, [&](Index n, const Index(&offset)[3]) {
    const Stretch<T> stretch{all.y + offset[0], all.x + offset[1], all.index + offset[2], n, low, high};
    if (plan.same_index()) {
      add_rows(plan, stretch);
    } else {
      add_elements(plan, stretch);
    }
  });
}

}  // namespace

void gather(const Context&, int dim, const ConstView& x, const ConstView& index, const View& y) {
  visit_any(x.dtype, [&]<class T>(Tag<T>) { gather_all<std::conditional_t<std::is_same_v<T, bool>, Truth, T>>(dim, x, index, y); });
}

void scatter_add(const Context&, int dim, const ConstView& index, const ConstView& x, const View& y) {
  const ScatterPlan plan = plan_scatter(dim, index, x, y);
  visit_real(y.dtype, [&]<class T>(Tag<T>) {
    const Stretch<T> all{y.ptr<T>(), x.ptr<T>(), index.ptr<Index>(), plan.lines.numel, 0, plan.places};
    parallel_for(plan.blocks * plan.ranges, 1, [&](Index begin, Index end) {
      for (Index piece = begin; piece < end; ++piece) {
        add_piece(plan, piece, all);
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
