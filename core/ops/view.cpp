#include "core/ops/view.hpp"

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"

namespace lora {

namespace {

Tensor view_of(const Tensor& x, const Shape& shape, const Shape& strides, Index offset = 0) {
  return Tensor(x.storage(), x.dtype(), shape, strides, x.offset() + offset);
}

/// Replaces a -1 in `shape` by what `numel` elements need.
Shape resolve(const Tensor& x, const Shape& shape) {
  Shape resolved = shape;
  int open = -1;
  for (int i = 0; i < shape.ndim(); ++i) {
    require(shape[i] >= -1 && (shape[i] != -1 || open < 0), "reshape", "at most one size may be -1 and none less, got ", shape);
    if (shape[i] == -1) {
      open = i;
      resolved[i] = 1;
    }
  }
  check_sizes("reshape", resolved);
  const Index known = resolved.numel();
  if (open >= 0 && known != 0) {
    resolved[open] = x.numel() / known;
  }
  require(resolved.numel() == x.numel() && (open < 0 || known != 0), "reshape", x, " has ", x.numel(), " elements, which do not fit ",
          shape);
  return resolved;
}

Shape inverse_order(const Shape& dims) {
  Shape inverse = dims;
  for (int i = 0; i < dims.ndim(); ++i) {
    inverse[static_cast<int>(dims[i])] = i;
  }
  return inverse;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  const Shape sizes = resolve(x, shape);
  const Tensor source = contiguous(x);
  return record("reshape", {source}, view_of(source, sizes, contiguous_strides(sizes)),
                [from = x.shape()](const Node&, const Tensor& gy) -> Grads { return {reshape(gy, from)}; });
}

Tensor permute(const Tensor& x, const Shape& dims) {
  require(dims.ndim() == x.ndim(), "permute", "needs one entry for each axis of ", x, ", got ", dims);
  Shape order = dims, shape = dims, strides = dims;
  std::uint32_t seen = 0;
  for (int i = 0; i < dims.ndim(); ++i) {
    const int from = normalize_dim("permute", dims[i], x.ndim());
    require((seen & (1u << from)) == 0, "permute", "axis ", from, " occurs twice in ", dims);
    seen |= 1u << from;
    order[i] = from;
    shape[i] = x.shape()[from];
    strides[i] = x.strides()[from];
  }
  return record("permute", {x}, view_of(x, shape, strides),
                [back = inverse_order(order)](const Node&, const Tensor& gy) -> Grads { return {permute(gy, back)}; });
}

Tensor transpose(const Tensor& x, Index dim0, Index dim1) {
  Shape order = x.shape();
  for (int i = 0; i < x.ndim(); ++i) {
    order[i] = i;
  }
  std::swap(order[normalize_dim("transpose", dim0, x.ndim())], order[normalize_dim("transpose", dim1, x.ndim())]);
  return permute(x, order);
}

Tensor t(const Tensor& x) {
  require(x.ndim() == 2, "t", "transposes a matrix, got ", x, "; name the axes with transpose()");
  return permute(x, {1, 0});
}

Tensor expand(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) {
    return x;
  }
  check_sizes("expand", shape);
  require(broadcast_shapes("expand", x.shape(), shape) == shape, "expand", x, " does not broadcast to ", shape);
  Shape strides = shape;
  const int offset = shape.ndim() - x.ndim();
  for (int i = 0; i < shape.ndim(); ++i) {
    const bool repeats = i < offset || (x.shape()[i - offset] == 1 && shape[i] != 1);
    strides[i] = repeats ? 0 : x.strides()[i - offset];
  }
  return record("expand", {x}, view_of(x, shape, strides), [](const Node&, const Tensor& gy) -> Grads { return {gy}; });
}

Tensor narrow(const Tensor& x, Index dim, Index start, Index length) {
  const int axis = normalize_dim("narrow", dim, x.ndim());
  require(start >= 0 && length >= 0 && start <= x.shape()[axis] - length, "narrow", length, " elements from ", start, " are outside axis ",
          dim, " of ", x);
  Shape shape = x.shape();
  shape[axis] = length;
  return record("narrow", {x}, view_of(x, shape, x.strides(), start * x.strides()[axis]),
                [from = x.shape(), axis, start, length](const Node&, const Tensor& gy) -> Grads {
                  Tensor gx = zeros(from, gy.dtype(), gy.device());
                  narrow(gx, axis, start, length).copy_(gy);
                  return {gx};
                });
}

Tensor flatten(const Tensor& x, Index start_dim) {
  Shape shape;
  const int start = x.ndim() == 0 ? 0 : normalize_dim("flatten", start_dim, x.ndim());
  for (int i = 0; i < start; ++i) {
    shape.push_back(x.shape()[i]);
  }
  Index rest = 1;
  for (int i = start; i < x.ndim(); ++i) {
    rest *= x.shape()[i];
  }
  shape.push_back(rest);
  return reshape(x, shape);
}

Tensor unsqueeze(const Tensor& x, Index dim) {
  const int axis = normalize_dim("unsqueeze", dim, x.ndim() + 1);
  Shape shape, strides;
  for (int i = 0; i <= x.ndim(); ++i) {
    const int from = i < axis ? i : i - 1;
    shape.push_back(i == axis ? 1 : x.shape()[from]);
    strides.push_back(i == axis ? 1 : x.strides()[from]);
  }
  return record("unsqueeze", {x}, view_of(x, shape, strides),
                [axis](const Node&, const Tensor& gy) -> Grads { return {squeeze(gy, axis)}; });
}

Tensor squeeze(const Tensor& x, Index dim) {
  const int axis = normalize_dim("squeeze", dim, x.ndim());
  require(x.shape()[axis] == 1, "squeeze", "axis ", dim, " of ", x, " has not size 1");
  Shape shape, strides;
  for (int i = 0; i < x.ndim(); ++i) {
    if (i != axis) {
      shape.push_back(x.shape()[i]);
      strides.push_back(x.strides()[i]);
    }
  }
  return record("squeeze", {x}, view_of(x, shape, strides),
                [axis](const Node&, const Tensor& gy) -> Grads { return {unsqueeze(gy, axis)}; });
}

}  // namespace lora
