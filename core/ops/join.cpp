#include "core/ops/join.hpp"

#include <algorithm>
#include <string>

#include "core/autograd.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

/// What cat() takes beside tensors of any shape.
bool is_nothing(const Shape& shape) { return shape == Shape{0}; }
bool is_nothing(const Tensor& x) { return is_nothing(x.shape()); }

/// The tensor whose shape the others must have: the first that is not of shape [0], if there is one.
const Tensor& model_of(std::string_view op, const std::vector<Tensor>& tensors) {
  require(!tensors.empty(), op, "needs at least one tensor");
  for (const Tensor& tensor : tensors) {
    if (!is_nothing(tensor)) {
      return tensor;
    }
  }
  return tensors.front();
}

/// Checks that tensor `i` goes with `model`; axis `free` (-1: none) may differ in size.
void check_fits(std::string_view op, const Tensor& model, const std::vector<Tensor>& tensors, std::size_t i, int free) {
  const Tensor& x = tensors[i];
  detail::require_same_device(op, model, x);
  require(x.dtype() == model.dtype(), op, "tensor ", i, " differs in dtype: ", x, " beside ", model, "; convert one with to()");
  Shape shape = x.shape();
  if (free >= 0 && shape.ndim() == model.ndim()) {
    shape[free] = model.shape()[free];
  }
  const bool skipped = free >= 0 && is_nothing(x);
  require(skipped || shape == model.shape(), op, "tensor ", i, " does not fit: ", x, " beside ", model,
          free >= 0 ? "; only axis " + std::to_string(free) + " may differ" : "; all must have one shape");
}

/// The tensor whose order of axes in memory the result gets.
const Tensor& layout_of(const Tensor& model, const std::vector<Tensor>& tensors) {
  for (const Tensor& tensor : tensors) {
    if (tensor.ndim() == model.ndim() && !tensor.is_contiguous()) {
      return tensor;
    }
  }
  return model;
}

/// Sizes of the tensors on `axis`, and their sum.
std::vector<Index> sizes_along(int axis, const Tensor& model, const std::vector<Tensor>& tensors, Index& total) {
  std::vector<Index> sizes;
  total = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    check_fits("cat", model, tensors, i, axis);
    sizes.push_back(is_nothing(tensors[i]) ? 0 : tensors[i].shape()[axis]);
    require(!__builtin_add_overflow(total, sizes.back(), &total), "cat", "too many elements on axis ", axis);
  }
  return sizes;
}

/// Elements added before and after each axis, in the order of the axes.
struct Pads {
  Shape before, after;
};

Pads pads_of(const Tensor& x, const std::vector<Index>& pads) {
  require(pads.size() % 2 == 0 && pads.size() / 2 <= static_cast<std::size_t>(x.ndim()), "pad",
          "needs two numbers for an axis and at most as many pairs as axes, got ", pads.size(), " numbers for ", x);
  Pads result{x.shape(), x.shape()};
  for (int i = 0; i < x.ndim(); ++i) {
    const auto pair = 2 * static_cast<std::size_t>(x.ndim() - 1 - i);
    result.before[i] = pair < pads.size() ? pads[pair] : 0;
    result.after[i] = pair < pads.size() ? pads[pair + 1] : 0;
  }
  return result;
}

Shape padded_shape(const Tensor& x, const Pads& pads) {
  Shape shape = x.shape();
  for (int i = 0; i < x.ndim(); ++i) {
    const Index before = pads.before[i], after = pads.after[i], size = shape[i];
    const bool enough = before >= -size && after >= -size && std::min<Index>(before, 0) + std::min<Index>(after, 0) >= -size;
    require(enough, "pad", before, " and ", after, " cut more off axis ", i, " of ", x, " than there is");
    require(!__builtin_add_overflow(before, after, &shape[i]) && !__builtin_add_overflow(size, shape[i], &shape[i]), "pad",
            "too many elements: ", before, " and ", after, " around axis ", i, " of ", x);
  }
  return shape;
}

/// x without what negative pads cut off: a view.
Tensor cropped(Tensor x, const Pads& pads) {
  for (int i = 0; i < x.ndim(); ++i) {
    const Index before = std::max<Index>(-pads.before[i], 0), after = std::max<Index>(-pads.after[i], 0);
    x = before + after > 0 ? narrow(x, i, before, x.shape()[i] - before - after) : x;
  }
  return x;
}

/// Fills the margins of y, which positive pads make, and gives what lies between them.
Tensor fill_margins(Tensor y, const Pads& pads, double value) {
  for (int i = 0; i < y.ndim(); ++i) {
    const Index before = std::max<Index>(pads.before[i], 0), after = std::max<Index>(pads.after[i], 0), size = y.shape()[i];
    if (before > 0) {
      narrow(y, i, 0, before).fill_(value);
    }
    if (after > 0) {
      narrow(y, i, size - after, after).fill_(value);
    }
    y = narrow(y, i, before, size - before - after);
  }
  return y;
}

Tensor padded(const Tensor& x, const Pads& pads, double value) {
  const Tensor y = empty_like(x, padded_shape(x, pads));
  fill_margins(y, pads, value).copy_(cropped(x, pads));
  return y;
}

/// Whether there is something to fill.
bool adds(const Pads& pads) {
  const auto positive = [](Index value) { return value > 0; };
  return std::any_of(pads.before.begin(), pads.before.end(), positive) || std::any_of(pads.after.begin(), pads.after.end(), positive);
}

Shape negated(Shape values) {
  for (Index& value : values) {
    value = -value;
  }
  return values;
}

}  // namespace

Tensor cat(const std::vector<Tensor>& tensors, Index dim) {
  const Tensor& model = model_of("cat", tensors);
  const int axis = normalize_dim("cat", dim, model.ndim());
  Shape shape = model.shape();
  const std::vector<Index> sizes = sizes_along(axis, model, tensors, shape[axis]);
  const Tensor y = empty_like(layout_of(model, tensors), shape);
  Index at = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!is_nothing(tensors[i])) {
      narrow(y, axis, at, sizes[i]).copy_(tensors[i].detach());
    }
    at += sizes[i];
  }
  return record("cat", tensors, y, [axis, sizes](const Node& node, const Tensor& gy) -> Grads {
    Grads grads;
    Index place = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const Tensor piece = narrow(gy, axis, place, sizes[i]);
      grads.push_back(!node.wants(i) ? Tensor{} : is_nothing(node.edges()[i].shape) ? reshape(piece, {0}) : piece);
      place += sizes[i];
    }
    return grads;
  });
}

Tensor stack(const std::vector<Tensor>& tensors, Index dim) {
  require(!tensors.empty(), "stack", "needs at least one tensor");
  const int axis = normalize_dim("stack", dim, tensors.front().ndim() + 1);
  std::vector<Tensor> slices;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    check_fits("stack", tensors.front(), tensors, i, -1);
    slices.push_back(unsqueeze(tensors[i], axis));
  }
  return cat(slices, axis);
}

Tensor pad(const Tensor& x, const std::vector<Index>& pads, double value) {
  const Pads margins = pads_of(x, pads);
  return record("pad", {x}, padded(x.detach(), margins, value), [margins](const Node&, const Tensor& gy) -> Grads {
    const Pads back{negated(margins.before), negated(margins.after)};
    return {adds(back) ? padded(gy, back, 0.0) : cropped(gy, back)};
  });
}

}  // namespace lora
