// Row masked_softmax.

#include <algorithm>
#include <limits>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/lines.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

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
  const T largest = largest_of(n, Line<const T, true>{y, 1});
  const T shift = largest == lowest ? T(0) : largest;
  const double total = sum_of<T>(n, [=](Index j) { return y[j] = fast_exp(y[j] - shift); });
  const T share = total == 0.0 ? T(0) : static_cast<T>(1.0 / total);
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
