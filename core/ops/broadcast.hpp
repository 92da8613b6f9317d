#pragma once
// Operands of an element-wise op, brought to one shape.

#include <string_view>

#include "core/ops/view.hpp"

namespace lora::detail {

/// a and b expanded to one shape, outside of the graph.
struct Operands {
  Tensor a, b;
  bool whole_a;  // a has that shape itself

  /// The operand whose layout the result gets: one that is not repeated, if there is.
  const Tensor& model() const { return whole_a ? a : b; }
};

/// @throws Error naming `op` if the shapes do not fit by NumPy's rule
inline Operands broadcast_operands(std::string_view op, const Tensor& a, const Tensor& b) {
  const Shape shape = a.shape() == b.shape() ? a.shape() : broadcast_shapes(op, a.shape(), b.shape());
  return {expand(a.detach(), shape), expand(b.detach(), shape), a.shape() == shape};
}

}  // namespace lora::detail
