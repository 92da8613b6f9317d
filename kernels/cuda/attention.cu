// Row masked_softmax.

#include <algorithm>

#include "kernels/cuda/lines.hpp"

namespace lora::kernels::cuda {
namespace {

/// A mask of x's shape: none, bool, or of x's type.
struct Mask {
  const void* data = nullptr;
  bool boolean = false;
  Index step = 0;  // along a row

  template <class T>
  __device__ Compute<T> masked(T x, Index at) const {
    const Compute<T> value = static_cast<Compute<T>>(x);
    if (data == nullptr) {
      return value;
    }
    if (boolean) {
      return static_cast<const bool*>(data)[at] ? value : -std::numeric_limits<Compute<T>>::infinity();
    }
    return value + static_cast<Compute<T>>(static_cast<const T*>(data)[at]);
  }
};

struct Rows {
  Layout<2> kept;  // x and y; mask
  Teams teams;
  Index per_matrix;  // rows
  bool causal;
};

template <class T>
__global__ void masked_softmax_kernel(Rows rows, Mask mask, const T* x, T* y) {
  using C = Compute<T>;
  constexpr C kLowest = -std::numeric_limits<C>::infinity();
  const Team team{rows.teams.size};
  const Index row = team.number(), m = rows.teams.length;
  if (row >= rows.teams.count) {
    return;
  }
  Index at[2];
  rows.kept.locate(row, at);
  const Index seen = rows.causal ? std::min(m, row % rows.per_matrix + 1) : m;
  const T* from = x + at[0];
  T* to = y + at[0];
  const auto value = [=](Index j) { return mask.masked(from[j], at[1] + j * mask.step); };
  const C largest = largest_of(team, seen, value);
  const C shift = largest == kLowest ? C(0) : largest;
  const double total = sum_of(team, seen, [=](Index j) { return std::exp(value(j) - shift); });
  const C share = total == 0.0 ? C(0) : static_cast<C>(1.0 / total);
  for (Index j = team.rank(); j < m; j += team.size) {
    to[j] = static_cast<T>(j < seen ? std::exp(value(j) - shift) * share : C(0));
  }
}

Rows rows_of(bool causal, const ConstView& x, const Shape& mask_strides) {
  Shape shape, x_strides, strides;
  const Shape dense = contiguous_strides(x.shape);
  for (int i = 0; i + 1 < x.shape.ndim(); ++i) {
    shape.push_back(x.shape[i]);
    x_strides.push_back(dense[i]);
    strides.push_back(mask_strides[i]);
  }
  const Index m = x.shape.back();
  Rows rows{make_layout<2>(shape, {&x_strides, &strides}), {}, x.shape[x.shape.ndim() - 2], causal};
  rows.teams = {m > 0 ? rows.kept.numel : 0, m, line_team(rows.kept.numel, m, 1, m)};
  return rows;
}

}  // namespace

void masked_softmax(const Context& context, bool causal, const ConstView& x, const ConstView* mask, const View& y) {
  const Rows rows = rows_of(causal, x, mask != nullptr ? mask->strides : x.strides);
  const Mask with = mask != nullptr ? Mask{mask->data, mask->dtype == DType::boolean, mask->strides.back()} : Mask{};
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    launch_teams(context, Row::masked_softmax, rows.teams, masked_softmax_kernel<T>, rows, with, x.ptr<T>(), y.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
