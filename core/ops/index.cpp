#include "core/ops/index.hpp"

#include <algorithm>
#include <atomic>

#include "core/autograd.hpp"
#include "core/base/threads.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

/// The place of element `i` in row-major order.
Shape position_of(Index i, const Shape& shape) {
  Shape position = shape;
  for (int axis = shape.ndim() - 1; axis >= 0; --axis) {
    position[axis] = i % shape[axis];
    i /= shape[axis];
  }
  return position;
}

/// Whether all n values are in 0..size-1.
bool all_inside(const std::int64_t* values, Index n, Index size) {
  constexpr Index kGrain = 65536;
  std::atomic<bool> inside = true;
  parallel_for(n, kGrain, [&](Index begin, Index end) {
    const auto last = static_cast<std::uint64_t>(size - 1);
    std::uint64_t signs = 0;  // a value below 0, or last - value below 0, sets the highest bit; vectorises where comparing would not
    for (Index i = begin; i < end; ++i) {
      const auto value = static_cast<std::uint64_t>(values[i]);
      signs |= value | (last - value);
    }
    if (signs >> 63 != 0) {
      inside = false;
    }
  });
  return inside;
}

/// The index as i64, all of whose values lie on axis `axis` of x.
Tensor checked_index(std::string_view op, const Tensor& x, int axis, const Tensor& index) {
  detail::require_same_device(op, x, index);
  require(index.dtype() == DType::i64 || index.dtype() == DType::i32, op, "an index is i64 or i32, got ", index, "; convert with to()");
  const Tensor values = to(index, DType::i64), row_major = to(contiguous(values), kCpu);
  const auto* at = row_major.data<std::int64_t>();
  const Index n = row_major.numel(), size = x.shape()[axis];
  if (!all_inside(at, n, size)) {
    const Index i = std::find_if(at, at + n, [size](std::int64_t value) { return value < 0 || value >= size; }) - at;
    fail(op, "index ", at[i], " at position ", position_of(i, index.shape()), " is outside axis ", axis, " of ", x);
  }
  return values;
}

/// An index [K] for axis `axis` of `shape` as one index for each element.
ConstView repeated(const Tensor& index, int axis, const Shape& shape) {
  Shape strides = shape;
  for (int i = 0; i < shape.ndim(); ++i) {
    strides[i] = i == axis ? index.strides()[0] : 0;
  }
  return {index.view().data, DType::i64, shape, strides};
}

/// Zeros of shape `from` to which `gy` is added at the places of `index`.
Tensor added_to_zeros(int axis, const ConstView& index, const Tensor& gy, const Shape& from) {
  Tensor gx = empty_like(gy, from);
  gx.zero_();
  detail::kernels_of(gy).scatter_add(detail::context_of(gy), axis, index, gy.view(), gx.mutable_view());
  return gx;
}

Tensor picked(int axis, const Tensor& x, const ConstView& index) {
  Tensor y = empty_like(x, index.shape);
  detail::kernels_of(x).gather(detail::context_of(x), axis, x.view(), index, y.mutable_view());
  return y;
}

void check_index_shape(std::string_view op, const Tensor& x, int axis, const Tensor& index) {
  bool fits = index.ndim() == x.ndim();
  for (int i = 0; fits && i < x.ndim(); ++i) {
    fits = i == axis || index.shape()[i] <= x.shape()[i];
  }
  require(fits, op, "needs an index with the axes of x, none but axis ", axis, " longer than x's; got ", x, " and ", index);
}

}  // namespace

Tensor index_select(const Tensor& x, Index dim, const Tensor& index) {
  const int axis = normalize_dim("index_select", dim, x.ndim());
  require(index.ndim() == 1, "index_select", "needs an index [K], got ", index);
  const Tensor at = checked_index("index_select", x, axis, index);
  Shape shape = x.shape();
  shape[axis] = at.size(0);
  return record("index_select", {x}, picked(axis, x, repeated(at, axis, shape)),
                [index = Saved(at), axis, from = x.shape()](const Node& node, const Tensor& gy) -> Grads {
                  return {added_to_zeros(axis, repeated(index.get(node.op()), axis, gy.shape()), gy, from)};
                });
}

Tensor gather(const Tensor& x, Index dim, const Tensor& index) {
  const int axis = normalize_dim("gather", dim, x.ndim());
  check_index_shape("gather", x, axis, index);
  const Tensor at = checked_index("gather", x, axis, index);
  return record("gather", {x}, picked(axis, x, at.view()),
                [index = Saved(at), axis, from = x.shape()](const Node& node, const Tensor& gy) -> Grads {
                  return {added_to_zeros(axis, index.get(node.op()).view(), gy, from)};
                });
}

Tensor scatter_add(const Tensor& x, Index dim, const Tensor& index, const Tensor& src) {
  detail::require_same_float("scatter_add", x, src);
  const int axis = normalize_dim("scatter_add", dim, x.ndim());
  check_index_shape("scatter_add", x, axis, index);
  require(src.shape() == index.shape(), "scatter_add", "needs an index for each element added, got ", index, " for ", src);
  const Tensor at = checked_index("scatter_add", x, axis, index);
  Tensor y = empty_like(x);
  y.copy_(x.detach());
  detail::kernels_of(x).scatter_add(detail::context_of(x), axis, at.view(), src.view(), y.mutable_view());
  return record("scatter_add", {x, src}, y, [index = Saved(at, src.requires_grad()), axis](const Node& node, const Tensor& gy) -> Grads {
    return {gy, node.wants(1) ? picked(axis, gy, index.get(node.op()).view()) : Tensor{}};
  });
}

Tensor embedding(const Tensor& weight, const Tensor& index, std::optional<Index> padding_idx) {
  require(weight.ndim() == 2, "embedding", "needs a weight [V, D], got ", weight);
  const Index rows = weight.size(0), columns = weight.size(1), skipped = padding_idx.value_or(0);
  require(!padding_idx || (skipped >= -rows && skipped < rows), "embedding", "padding_idx ", skipped, " is not a row of ", weight);
  const Tensor at = reshape(checked_index("embedding", weight, 0, index), {index.numel()});
  Shape shape = index.shape();
  shape.push_back(columns);
  const Tensor y = reshape(picked(0, weight.detach(), repeated(at, 0, {index.numel(), columns})), shape);
  return record("embedding", {weight}, y,
                [index = Saved(at), padding_idx, from = weight.shape()](const Node& node, const Tensor& gy) -> Grads {
                  const Tensor& places = index.get(node.op());
                  const Tensor matrix = reshape(gy, {places.size(0), from[1]});
                  const Tensor gx = added_to_zeros(0, repeated(places, 0, matrix.shape()), matrix, from);
                  if (padding_idx) {
                    select(gx, 0, *padding_idx).zero_();
                  }
                  return {gx};
                });
}

}  // namespace lora
