#include "core/ops/reduce.hpp"

#include <algorithm>
#include <limits>

#include "core/autograd.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

using kernels::ReduceOp;

/// How var and std are taken.
struct Reduced {
  double correction;
  bool keepdim;
};

/// True for a tensor without axes, which may be reduced over 0 and -1 all the same, as if it had one.
bool is_scalar(std::string_view op, const Shape& shape, const Shape& dims) {
  for (const Index dim : dims) {
    (void)normalize_dim(op, dim, std::max(shape.ndim(), 1));
  }
  return shape.ndim() == 0;
}

/// The shape of x with size 1 at `dims`.
Shape reduced_shape(std::string_view op, const Tensor& x, const Shape& dims) {
  Shape shape = x.shape();
  if (is_scalar(op, shape, dims)) {
    return shape;
  }
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
  if (is_scalar("sum", shape, dims)) {
    return shape;
  }
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

/// For a reduction that has no value over nothing.
void require_elements(std::string_view op, const Tensor& x, const Shape& dims) {
  if (is_scalar(op, x.shape(), dims)) {
    return;
  }
  for (const Index dim : dims) {
    require(x.shape()[normalize_dim(op, dim, x.ndim())] > 0, op, "axis ", dim, " of ", x, " is empty, and nothing has no ", op);
  }
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

bool has_ties(ReduceOp op) { return op == ReduceOp::max || op == ReduceOp::min || op == ReduceOp::norm_inf; }

/// gx = gy * slope; elements that tie share it.
Tensor reduce_grad(ReduceOp op, const Tensor& x, const Tensor& y, const Tensor& gy) {
  Tensor share = gy;
  if (has_ties(op)) {
    Tensor count = empty(y.shape(), y.dtype(), y.device());
    detail::kernels_of(x).reduce_ties(detail::context_of(x), op, x.view(), y.view(), count.mutable_view());
    share = div(gy, count);
  }
  Tensor gx = empty_like(x);
  detail::kernels_of(x).reduce_grad(detail::context_of(x), op, x.view(), expand(y, x.shape()).view(), expand(share, x.shape()).view(),
                                    gx.mutable_view());
  return gx;
}

Tensor reduce_by(std::string_view name, ReduceOp op, const Tensor& x, const Shape& dims, bool keepdim) {
  detail::require_float(name, x);
  const Tensor y = empty(reduced_shape(name, x, dims), x.dtype(), x.device());
  detail::kernels_of(x).reduce(detail::context_of(x), op, x.view(), y.mutable_view());
  const Tensor kept = record(name, {x}, y, [op, x = Saved(x), y = Saved(y)](const Node& node, const Tensor& gy) -> Grads {
    return {reduce_grad(op, x.get(node.op()), y.get(node.op()), gy)};
  });
  return keepdim ? kept : reshape(kept, without(x.shape(), dims));
}

/// Numerator / denominator, 0 where the denominator is 0: so the derivative of norm2 is made.
Tensor div_or_zero(const Tensor& numerator, const Tensor& denominator) {
  return reduce_grad(ReduceOp::norm2, numerator, denominator, ones({}, numerator.dtype(), numerator.device()));
}

/// var, or with `root` its square root, std.
Tensor spread(std::string_view name, bool root, const Tensor& x, const Shape& dims, const Reduced& how) {
  detail::require_float(name, x);
  const Shape kept_shape = reduced_shape(name, x, dims);
  const Index count = kept_shape.numel() == 0 ? 1 : x.numel() / kept_shape.numel();
  const double freedom =
      count == 0 ? 0.0 : static_cast<double>(count) - how.correction;  // nothing has no variance, whatever the correction
  Tensor mean = empty(kept_shape, DType::f64, x.device());
  Tensor y = empty(kept_shape, x.dtype(), x.device());
  detail::kernels_of(x).var(detail::context_of(x), 1.0 / std::max(0.0, freedom), x.view(), mean.mutable_view(), y.mutable_view());
  if (root) {
    detail::kernels_of(y).unary(detail::context_of(y), kernels::UnaryOp::sqrt, y.view(), y.mutable_view());
  }
  const Tensor kept =
      record(name, {x}, y, [=, x = Saved(x), y = Saved(y, root), mean = Saved(mean)](const Node& node, const Tensor& gy) -> Grads {
        const Tensor share = root ? div_or_zero(gy / freedom, y.get(node.op())) : gy * (2.0 / freedom);
        const Tensor& from = x.get(node.op());
        Tensor gx = empty_like(from);
        detail::kernels_of(from).var_grad(detail::context_of(from), from.view(), expand(mean.get(node.op()), from.shape()).view(),
                                          expand(share, from.shape()).view(), gx.mutable_view());
        return {gx};
      });
  return how.keepdim ? kept : reshape(kept, without(x.shape(), dims));
}

Tensor arg_reduce(std::string_view name, ReduceOp op, const Tensor& x, Index dim) {
  detail::require_float(name, x);
  const int axis = normalize_dim(name, dim, x.ndim());
  require(x.shape()[axis] > 0, name, "axis ", dim, " of ", x, " is empty");
  const Tensor last = transpose(x.detach(), axis, -1);
  const Index rows = x.numel() / x.shape()[axis];
  const Tensor matrix = reshape(last, {rows, x.shape()[axis]});
  Tensor y = empty({rows}, DType::i64, x.device());
  detail::kernels_of(x).arg_reduce(detail::context_of(x), op, matrix.view(), y.mutable_view());
  Shape kept = last.shape();
  kept[kept.ndim() - 1] = 1;
  return squeeze(transpose(reshape(y, kept), axis, -1), axis);
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

Tensor amax(const Tensor& x, const Shape& dims, bool keepdim) {
  require_elements("amax", x, dims);
  return reduce_by("amax", ReduceOp::max, x, dims, keepdim);
}

Tensor amax(const Tensor& x) { return amax(x, all_dims(x)); }

Tensor amin(const Tensor& x, const Shape& dims, bool keepdim) {
  require_elements("amin", x, dims);
  return reduce_by("amin", ReduceOp::min, x, dims, keepdim);
}

Tensor amin(const Tensor& x) { return amin(x, all_dims(x)); }

Tensor logsumexp(const Tensor& x, const Shape& dims, bool keepdim) { return reduce_by("logsumexp", ReduceOp::logsumexp, x, dims, keepdim); }

Tensor norm(const Tensor& x, double ord, const Shape& dims, bool keepdim) {
  const bool infinite = ord == std::numeric_limits<double>::infinity();
  require(ord == 1.0 || ord == 2.0 || infinite, "norm", "order ", ord, " is not supported; there are 1, 2 and infinity");
  if (infinite) {
    require_elements("norm", x, dims);
  }
  return reduce_by("norm", infinite ? ReduceOp::norm_inf : ord == 1.0 ? ReduceOp::norm1 : ReduceOp::norm2, x, dims, keepdim);
}

Tensor norm(const Tensor& x, double ord) { return norm(x, ord, all_dims(x)); }

Tensor var(const Tensor& x, const Shape& dims, double correction, bool keepdim) {
  return spread("var", false, x, dims, {correction, keepdim});
}

Tensor var(const Tensor& x) { return var(x, all_dims(x)); }

Tensor std(const Tensor& x, const Shape& dims, double correction, bool keepdim) {
  return spread("std", true, x, dims, {correction, keepdim});
}

Tensor std(const Tensor& x) { return std(x, all_dims(x)); }

Tensor argmax(const Tensor& x, Index dim) { return arg_reduce("argmax", ReduceOp::max, x, dim); }

Tensor argmin(const Tensor& x, Index dim) { return arg_reduce("argmin", ReduceOp::min, x, dim); }

}  // namespace lora
