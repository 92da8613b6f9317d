#include "core/ops/view.hpp"

#include <algorithm>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"

namespace lora {

namespace {

Tensor view_of(const Tensor& x, const Shape& shape, const Shape& strides, Index offset = 0) {
  return Tensor(x.storage(), x.dtype(), shape, strides, x.offset() + offset);
}

/// Replaces a -1 in `shape` by what `numel` elements of x need.
Shape resolve(std::string_view op, const Tensor& x, Index numel, const Shape& shape) {
  Shape resolved = shape;
  int open = -1;
  for (int i = 0; i < shape.ndim(); ++i) {
    require(shape[i] >= -1 && (shape[i] != -1 || open < 0), op, "at most one size may be -1 and none less, got ", shape);
    if (shape[i] == -1) {
      open = i;
      resolved[i] = 1;
    }
  }
  check_sizes(op, resolved);
  const Index known = resolved.numel();
  if (open >= 0 && known != 0) {
    resolved[open] = numel / known;
  }
  require(resolved.numel() == numel && (open < 0 || known != 0), op, numel, " elements of ", x, " do not fit ", shape);
  return resolved;
}

Shape inverse_order(const Shape& dims) {
  Shape inverse = dims;
  for (int i = 0; i < dims.ndim(); ++i) {
    inverse[static_cast<int>(dims[i])] = i;
  }
  return inverse;
}

/// Every `step`-th element of an axis, from `start`; the caller has checked them.
Tensor every(std::string_view op, const Tensor& x, int axis, Index start, Index length, Index step) {
  Shape shape = x.shape(), strides = x.strides();
  shape[axis] = length;
  strides[axis] *= length > 1 ? step : 1;  // a step beyond the axis could overflow
  return record(op, {x}, view_of(x, shape, strides, length > 0 ? start * x.strides()[axis] : 0),
                [from = x.shape(), axis, start, length, step](const Node& node, const Tensor& gy) -> Grads {
                  Tensor gx = empty_like(gy, from);
                  gx.zero_();
                  every(node.op(), gx, axis, start, length, step).copy_(gy);
                  return {gx};
                });
}

std::vector<Tensor> pieces(std::string_view op, const Tensor& x, int axis, const std::vector<Index>& sizes) {
  std::vector<Tensor> out;
  Index at = 0;
  for (const Index size : sizes) {
    out.push_back(every(op, x, axis, at, size, 1));
    at += size;
  }
  return out;
}

/// `shape` with each -1 replaced by the size that x has there.
Shape with_sizes_of(const Tensor& x, const Shape& shape) {
  Shape sizes = shape;
  const int offset = shape.ndim() - x.ndim();
  for (int i = 0; i < shape.ndim(); ++i) {
    require(shape[i] != -1 || i >= offset, "expand", "-1 stands for a size of ", x, ", which has no axis at that place of ", shape);
    sizes[i] = shape[i] == -1 ? x.shape()[i - offset] : shape[i];
  }
  return sizes;
}

/// A bound of a slice as Python reads it, within 0..size.
Index clamp_bound(Index bound, Index size) { return std::clamp<Index>(bound < 0 ? bound + size : bound, 0, size); }

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  const Shape sizes = resolve("reshape", x, x.numel(), shape);
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

Tensor movedim(const Tensor& x, Index source, Index destination) {
  const int from = normalize_dim("movedim", source, x.ndim()), to = normalize_dim("movedim", destination, x.ndim());
  Shape order = x.shape();
  for (int i = 0; i < x.ndim(); ++i) {
    const bool between = from < to ? i >= from && i < to : i > to && i <= from;
    order[i] = between ? (from < to ? i + 1 : i - 1) : i;
  }
  order[to] = from;
  return permute(x, order);
}

Tensor expand(const Tensor& x, const Shape& shape) {
  const Shape sizes = with_sizes_of(x, shape);
  if (x.shape() == sizes) {
    return x;
  }
  check_sizes("expand", sizes);
  require(broadcast_shapes("expand", x.shape(), sizes) == sizes, "expand", x, " does not broadcast to ", shape);
  Shape strides = sizes;
  const int offset = sizes.ndim() - x.ndim();
  for (int i = 0; i < sizes.ndim(); ++i) {
    const bool repeats = i < offset || (x.shape()[i - offset] == 1 && sizes[i] != 1);
    strides[i] = repeats ? 0 : x.strides()[i - offset];
  }
  return record("expand", {x}, view_of(x, sizes, strides), [](const Node&, const Tensor& gy) -> Grads { return {gy}; });
}

Tensor narrow(const Tensor& x, Index dim, Index start, Index length) {
  const int axis = normalize_dim("narrow", dim, x.ndim());
  require(start >= 0 && length >= 0 && start <= x.shape()[axis] - length, "narrow", length, " elements from ", start, " are outside axis ",
          dim, " of ", x);
  return every("narrow", x, axis, start, length, 1);
}

Tensor slice(const Tensor& x, Index dim, Index start, Index end, Index step) {
  const int axis = normalize_dim("slice", dim, x.ndim());
  require(step >= 1, "slice", "the step must be at least 1, got ", step);
  const Index size = x.shape()[axis], first = clamp_bound(start, size), last = clamp_bound(end, size);
  return every("slice", x, axis, first, last > first ? (last - first - 1) / step + 1 : 0, step);
}

Tensor select(const Tensor& x, Index dim, Index index) {
  const int axis = normalize_dim("select", dim, x.ndim());
  const Index size = x.shape()[axis];
  require(index >= -size && index < size, "select", "index ", index, " is outside axis ", dim, " of ", x);
  return squeeze(every("select", x, axis, index < 0 ? index + size : index, 1, 1), axis);
}

std::vector<Tensor> split(const Tensor& x, Index split_size, Index dim) {
  const int axis = normalize_dim("split", dim, x.ndim());
  const Index size = x.shape()[axis];
  require(split_size > 0 || (split_size == 0 && size == 0), "split", "axis ", dim, " of ", x, " cannot be cut into pieces of ", split_size);
  std::vector<Index> sizes(size == 0 ? 1 : 0);
  for (Index left = size; left > 0; left -= sizes.back()) {
    sizes.push_back(std::min(split_size, left));
  }
  return pieces("split", x, axis, sizes);
}

std::vector<Tensor> split_with_sizes(const Tensor& x, const std::vector<Index>& split_sizes, Index dim) {
  const int axis = normalize_dim("split_with_sizes", dim, x.ndim());
  Index left = x.shape()[axis];
  for (const Index size : split_sizes) {
    require(size >= 0 && size <= left, "split_with_sizes", "a piece of ", size, " does not fit into the ", left, " elements left of axis ",
            dim, " of ", x);
    left -= size;
  }
  require(left == 0, "split_with_sizes", "the sizes leave out ", left, " elements of axis ", dim, " of ", x);
  return pieces("split_with_sizes", x, axis, split_sizes);
}

std::vector<Tensor> chunk(const Tensor& x, Index chunks, Index dim) {
  const Index size = x.shape()[normalize_dim("chunk", dim, x.ndim())];
  require(chunks >= 1, "chunk", "needs at least 1 chunk, got ", chunks);
  if (size == 0) {
    return split_with_sizes(x, std::vector<Index>(static_cast<std::size_t>(chunks), 0), dim);
  }
  return split(x, (size - 1) / chunks + 1, dim);
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
  if (x.shape()[axis] != 1) {
    return x;
  }
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

Tensor squeeze(const Tensor& x) {
  Shape shape, strides;
  for (int i = 0; i < x.ndim(); ++i) {
    if (x.shape()[i] != 1) {
      shape.push_back(x.shape()[i]);
      strides.push_back(x.strides()[i]);
    }
  }
  return record("squeeze", {x}, view_of(x, shape, strides),
                [from = x.shape()](const Node&, const Tensor& gy) -> Grads { return {reshape(gy, from)}; });
}

Tensor unflatten(const Tensor& x, Index dim, const Shape& sizes) {
  const int axis = normalize_dim("unflatten", dim, x.ndim());
  require(!sizes.empty(), "unflatten", "needs at least one size for axis ", dim, " of ", x);
  const Shape inner = resolve("unflatten", x, x.shape()[axis], sizes), steps = contiguous_strides(inner);
  Shape shape, strides;
  for (int i = 0; i < x.ndim(); ++i) {
    for (int j = 0; j < (i == axis ? inner.ndim() : 1); ++j) {
      shape.push_back(i == axis ? inner[j] : x.shape()[i]);
      strides.push_back(x.numel() == 0 ? 0 : x.strides()[i] * (i == axis ? steps[j] : 1));
    }
  }
  if (x.numel() == 0) {
    return reshape(x, shape);  // strides of sizes that are not there could overflow
  }
  return record("unflatten", {x}, view_of(x, shape, strides),
                [from = x.shape()](const Node&, const Tensor& gy) -> Grads { return {reshape(gy, from)}; });
}

}  // namespace lora
