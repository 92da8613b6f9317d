// Row masked_softmax.

#include <algorithm>
#include <limits>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kLanes = 16;  // independent chains within a row

/// combine(start, value(0), .., value(n-1)), lane by lane.
template <class T, class Value, class Combine>
[[gnu::always_inline]] inline T fold_row(Index n, T start, const Value& value, const Combine& combine) {
  T lanes[kLanes];
  std::fill_n(lanes, kLanes, start);
  Index i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (Index j = 0; j < kLanes; ++j) {
      lanes[j] = combine(lanes[j], value(i + j));
    }
  }
  for (Index j = 0; i < n; ++i, ++j) {
    lanes[j] = combine(lanes[j], value(i));
  }
  for (Index half = kLanes / 2; half > 0; half /= 2) {
    for (Index j = 0; j < half; ++j) {
      lanes[j] = combine(lanes[j], lanes[j + half]);
    }
  }
  return lanes[0];
}

/// Where row `row` of a view starts; the last axis is the row.
Index row_offset(const Shape& shape, const Shape& strides, Index row) {
  Index offset = 0;
  for (int axis = shape.ndim() - 2; axis >= 0; --axis) {
    offset += row % shape[axis] * strides[axis];
    row /= shape[axis];
  }
  return offset;
}

/// y = x where the mask allows it, else -inf; n elements.
template <class T>
void mask_row(Index n, const T* x, const ConstView* mask, Index row, T* y) {
  if (mask == nullptr) {
    std::copy_n(x, n, y);
    return;
  }
  const Index step = mask->strides.back(), offset = row_offset(mask->shape, mask->strides, row);
  if (mask->dtype == DType::boolean) {
    const bool* allowed = mask->ptr<bool>() + offset;
    each(n, [=](Index j) { y[j] = allowed[j * step] ? x[j] : -std::numeric_limits<T>::infinity(); });
  } else {
    const T* added = mask->ptr<T>() + offset;
    each(n, [=](Index j) { y[j] = x[j] + added[j * step]; });
  }
}

/// The softmax of n elements in place, all 0 if each is -inf.
template <class T>
void softmax_row(Index n, T* y) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  const T largest = fold_row(
      n, lowest, [=](Index j) { return y[j]; }, [](T a, T b) { return b > a ? b : a; });
  const T shift = largest == lowest ? T(0) : largest;
  each(n, [=](Index j) { y[j] = fast_exp(y[j] - shift); });
  const T total = fold_row(
      n, T(0), [=](Index j) { return y[j]; }, [](T a, T b) { return a + b; });
  const T share = total == T(0) ? T(0) : T(1) / total;
  each(n, [=](Index j) { y[j] *= share; });
}

}  // namespace

void masked_softmax(const Context&, bool causal, const ConstView& x, const ConstView* mask, const View& y) {
  const Index m = x.shape.back(), n = x.shape[x.shape.ndim() - 2], rows = m > 0 ? x.numel() / m : 0;
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T* in = x.ptr<T>();
    T* out = y.ptr<T>();
    parallel_for(rows, std::max<Index>(1, kGrain / 4 / std::max<Index>(1, m)), [=](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) {
        T* to = out + row * m;
        const Index seen = causal ? std::min(m, row % n + 1) : m;
        mask_row(seen, in + row * m, mask, row, to);
        softmax_row(seen, to);
        std::fill_n(to + seen, m - seen, T(0));
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
