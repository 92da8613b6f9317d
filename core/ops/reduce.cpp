#include "core/ops/reduce.hpp"

#include "core/autograd.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

/// The shape of x with size 1 at `dims`.
Shape reduced_shape(std::string_view op, const Tensor& x, const Shape& dims) {
  Shape shape = x.shape();
  std::uint32_t seen = 0;
  for (const Index dim : dims) {
    const int axis = normalize_dim(op, dim, x.ndim());
    require((seen & (1u << axis)) == 0, op, "axis ", axis, " occurs twice in ", dims);
    seen |= 1u << axis;
    shape[axis] = 1;
  }
  return shape;
}

Shape without(const Shape& shape, const Shape& dims) {
  std::uint32_t dropped = 0;
  for (const Index dim : dims) {
    dropped |= 1u << normalize_dim("sum", dim, shape.ndim());
  }
  Shape rest;
  for (int i = 0; i < shape.ndim(); ++i) {
    if ((dropped & (1u << i)) == 0) {
      rest.push_back(shape[i]);
    }
  }
  return rest;
}

Shape all_dims(const Tensor& x) {
  Shape dims;
  for (int i = 0; i < x.ndim(); ++i) {
    dims.push_back(i);
  }
  return dims;
}

Tensor sum_keeping(std::string_view op, double scale, const Tensor& x, const Shape& kept) {
  detail::require_float(op, x);
  Tensor y = empty(kept, x.dtype(), x.device());
  detail::kernels_of(x).sum(detail::context_of(x), scale, x.view(), y.mutable_view());
  return record(op, {x}, y, [scale, from = x.shape()](const Node&, const Tensor& gy) -> Grads {
    Tensor scaled = gy;
    if (scale != 1.0) {
      scaled = empty_like(gy);
      detail::kernels_of(gy).affine(detail::context_of(gy), scale, 0.0, gy.view(), scaled.mutable_view());
    }
    return {expand(scaled, from)};
  });
}

Tensor reduce(std::string_view op, double scale, const Tensor& x, const Shape& dims, bool keepdim) {
  const Tensor y = sum_keeping(op, scale, x, reduced_shape(op, x, dims));
  return keepdim ? y : reshape(y, without(x.shape(), dims));
}

}  // namespace

Tensor sum(const Tensor& x, const Shape& dims, bool keepdim) { return reduce("sum", 1.0, x, dims, keepdim); }

Tensor sum(const Tensor& x) { return sum(x, all_dims(x)); }

Tensor mean(const Tensor& x, const Shape& dims, bool keepdim) {
  Index kept = 1;
  for (const Index size : reduced_shape("mean", x, dims)) {
    kept *= size;
  }
  const double count = kept == 0 ? 1.0 : static_cast<double>(x.numel()) / static_cast<double>(kept);
  return reduce("mean", 1.0 / count, x, dims, keepdim);
}

Tensor mean(const Tensor& x) { return mean(x, all_dims(x)); }

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) {
    return x;
  }
  require(broadcast_shapes("sum_to", shape, x.shape()) == x.shape(), "sum_to", x, " is not a broadcast of ", shape);
  const int offset = x.ndim() - shape.ndim();
  Shape kept = x.shape();
  for (int i = 0; i < x.ndim(); ++i) {
    kept[i] = i < offset ? 1 : shape[i - offset];
  }
  return reshape(sum_keeping("sum_to", 1.0, x, kept), shape);
}

Tensor argmax(const Tensor& x, Index dim) {
  detail::require_float("argmax", x);
  const int axis = normalize_dim("argmax", dim, x.ndim());
  require(x.shape()[axis] > 0, "argmax", "axis ", dim, " of ", x, " is empty");
  const Tensor last = transpose(x.detach(), axis, -1);
  const Index rows = x.numel() / x.shape()[axis];
  const Tensor matrix = reshape(last, {rows, x.shape()[axis]});
  Tensor y = empty({rows}, DType::i64, x.device());
  detail::kernels_of(x).argmax(detail::context_of(x), matrix.view(), y.mutable_view());
  Shape kept = last.shape();
  kept[kept.ndim() - 1] = 1;
  return squeeze(transpose(reshape(y, kept), axis, -1), axis);
}

}  // namespace lora
