#include "core/ops/pointwise.hpp"

#include "core/autograd.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

using kernels::BinaryOp;
using kernels::UnaryOp;

Tensor unary(std::string_view name, UnaryOp op, kernels::Needs needs, const Tensor& x) {
  detail::require_float(name, x);
  Tensor y = empty_like(x);
  detail::kernels_of(x).unary(detail::context_of(x), op, x.view(), y.mutable_view());
  return record(name, {x}, y, [op, kept = Saved(needs == kernels::Needs::input ? x : y)](const Node& node, const Tensor& gy) -> Grads {
    const Tensor& z = kept.get(node.op());
    Tensor gx = empty_like(z);
    detail::kernels_of(gy).unary_grad(detail::context_of(gy), op, z.view(), z.view(), gy.view(), gx.mutable_view());
    return {gx};
  });
}

Tensor binary(std::string_view name, BinaryOp op, const Tensor& a, const Tensor& b) {
  detail::require_same_float(name, a, b);
  const Shape shape = a.shape() == b.shape() ? a.shape() : broadcast_shapes(name, a.shape(), b.shape());
  const Tensor x0 = expand(a.detach(), shape);
  const Tensor x1 = expand(b.detach(), shape);
  Tensor y = empty_like(a.shape() == shape ? x0 : x1);  // the layout of the operand that is not repeated
  detail::kernels_of(a).binary(detail::context_of(a), op, x0.view(), x1.view(), y.mutable_view());
  return y;
}

}  // namespace

#define LORA_DEFINE_UNARY(op) \
  Tensor op(const Tensor& x) { return unary(#op, UnaryOp::op, kernels::unary::op::needs, x); }
LORA_UNARY_OPS(LORA_DEFINE_UNARY)
#undef LORA_DEFINE_UNARY

// The engine undoes the broadcasting of an operand, so these gradients may keep the shape of y.

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", {a, b}, binary("add", BinaryOp::add, a, b), [](const Node&, const Tensor& gy) -> Grads { return {gy, gy}; });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return record("sub", {a, b}, binary("sub", BinaryOp::sub, a, b), [](const Node& node, const Tensor& gy) -> Grads {
    return {gy, node.wants(1) ? neg(gy) : Tensor{}};
  });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return record("mul", {a, b}, binary("mul", BinaryOp::mul, a, b),
                [a = Saved(a, b.requires_grad()), b = Saved(b, a.requires_grad())](const Node& node, const Tensor& gy) -> Grads {
                  return {node.wants(0) ? mul(gy, b.get("mul")) : Tensor{}, node.wants(1) ? mul(gy, a.get("mul")) : Tensor{}};
                });
}

Tensor div(const Tensor& a, const Tensor& b) {
  return record("div", {a, b}, binary("div", BinaryOp::div, a, b),
                [a = Saved(a, b.requires_grad()), b = Saved(b)](const Node& node, const Tensor& gy) -> Grads {
                  const Tensor ga = div(gy, b.get("div"));
                  return {ga, node.wants(1) ? neg(mul(ga, div(a.get("div"), b.get("div")))) : Tensor{}};
                });
}

Tensor affine(const Tensor& x, double scale, double shift) {
  detail::require_float("affine", x);
  Tensor y = empty_like(x);
  detail::kernels_of(x).affine(detail::context_of(x), scale, shift, x.view(), y.mutable_view());
  return record("affine", {x}, y, [scale](const Node&, const Tensor& gy) -> Grads { return {affine(gy, scale, 0.0)}; });
}

}  // namespace lora
