#include "core/base/shape.hpp"

#include <algorithm>

namespace lora {

Shape::Shape(std::span<const Index> dims) {
  require(dims.size() <= kMaxDims, "shape", "at most ", kMaxDims, " axes, got ", dims.size());
  std::copy(dims.begin(), dims.end(), dims_.begin());
  ndim_ = static_cast<int>(dims.size());
}

Index Shape::numel() const {
  Index product = 1;
  for (const Index dim : *this) {
    product *= dim;
  }
  return product;
}

void Shape::push_back(Index dim) {
  require(ndim_ < kMaxDims, "shape", "at most ", kMaxDims, " axes, cannot add one to ", *this);
  dims_[static_cast<std::size_t>(ndim_++)] = dim;
}

bool operator==(const Shape& a, const Shape& b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.ndim(); ++i) {
    out << (i == 0 ? "" : ",") << shape[i];
  }
  return out << ']';
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  Index step = 1;
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

bool same_layout(const Shape& shape, const Shape& a, const Shape& b) {
  for (int i = 0; i < shape.ndim(); ++i) {
    if (shape[i] != 1 && a[i] != b[i]) {
      return shape.numel() == 0;
    }
  }
  return true;
}

bool is_contiguous(const Shape& shape, const Shape& strides) { return same_layout(shape, strides, contiguous_strides(shape)); }

Shape dense_strides(const Shape& shape, const Shape& strides) {
  Shape order;  // axes from the outermost in memory to the innermost
  for (int i = 0; i < shape.ndim(); ++i) {
    if (shape[i] > 1 && strides[i] == 0) {
      return contiguous_strides(shape);
    }
    order.push_back(i);
  }
  const auto further_out = [&](Index a, Index b) { return strides[static_cast<int>(a)] > strides[static_cast<int>(b)]; };
  std::stable_sort(order.begin(), order.end(), further_out);
  Shape dense = shape;
  Index step = 1;
  for (int k = shape.ndim() - 1; k >= 0; --k) {
    const int axis = static_cast<int>(order[k]);
    dense[axis] = step;
    step *= shape[axis];
  }
  return dense;
}

Shape channels_last_strides(const Shape& shape) {
  require(shape.ndim() >= 2, "channels_last", "needs a shape [N, C, ..], got ", shape);
  Shape strides = shape;
  strides[1] = 1;
  Index step = shape[1];
  for (int i = shape.ndim() - 1; i >= 0; --i) {
    if (i != 1) {
      strides[i] = step;
      step *= shape[i];
    }
  }
  return strides;
}

Shape broadcast_shapes(std::string_view where, const Shape& a, const Shape& b) {
  const Shape& longer = a.ndim() >= b.ndim() ? a : b;
  const Shape& shorter = a.ndim() >= b.ndim() ? b : a;
  Shape out = longer;
  const int offset = longer.ndim() - shorter.ndim();
  for (int i = 0; i < shorter.ndim(); ++i) {
    const Index x = longer[offset + i];
    const Index y = shorter[i];
    require(x == y || x == 1 || y == 1, where, "shapes ", a, " and ", b,
            " do not broadcast; aligned at the right, axes must be equal or 1");
    out[offset + i] = x == 1 ? y : x;
  }
  return out;
}

int normalize_dim(std::string_view where, Index dim, int ndim) {
  require(dim >= -ndim && dim < ndim, where, "axis ", dim, " is outside ", -ndim, "..", ndim - 1, " of a tensor with ", ndim, " axes");
  return static_cast<int>(dim < 0 ? dim + ndim : dim);
}

void check_sizes(std::string_view where, const Shape& shape) {
  Index product = 1;
  for (const Index dim : shape) {
    require(dim >= 0, where, "sizes must not be negative, got ", shape);
    require(!__builtin_mul_overflow(product, dim == 0 ? 1 : dim, &product), where, "too many elements in ", shape);
  }
}

}  // namespace lora
