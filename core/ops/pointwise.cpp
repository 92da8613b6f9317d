#include "core/ops/pointwise.hpp"

#include <cmath>
#include <limits>

#include "core/autograd.hpp"
#include "core/ops/broadcast.hpp"
#include "core/ops/kernel_call.hpp"

namespace lora {

namespace {

using kernels::BinaryOp;
using kernels::ParamOp;
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

Tensor param(std::string_view name, const kernels::Parametric& f, const Tensor& x) {
  detail::require_float(name, x);
  Tensor y = empty_like(x);
  detail::kernels_of(x).param(detail::context_of(x), f, x.view(), y.mutable_view());
  return record(name, {x}, y, [f, x = Saved(x)](const Node& node, const Tensor& gy) -> Grads {
    const Tensor& at = x.get(node.op());
    Tensor gx = empty_like(at);
    detail::kernels_of(gy).param_grad(detail::context_of(gy), f, at.view(), gy.view(), gx.mutable_view());
    return {gx};
  });
}

Tensor binary(std::string_view name, BinaryOp op, const Tensor& a, const Tensor& b) {
  detail::require_same_float(name, a, b);
  const detail::Operands x = detail::broadcast_operands(name, a, b);
  Tensor y = empty_like(x.model());
  detail::kernels_of(a).binary(detail::context_of(a), op, x.a.view(), x.b.view(), y.mutable_view());
  return y;
}

/// gy times the derivative of the op, in the shape of y.
Tensor binary_grad(const kernels::Partial& df, const Tensor& a, const Tensor& b, const Tensor& gy) {
  const detail::Operands x = detail::broadcast_operands("gradient", a, b);
  Tensor gx = empty_like(x.model());
  detail::kernels_of(gy).binary_grad(detail::context_of(gy), df, x.a.view(), x.b.view(), gy.view(), gx.mutable_view());
  return gx;
}

/// An op whose derivatives both look at both operands.
Tensor curved(std::string_view name, BinaryOp op, const Tensor& a, const Tensor& b) {
  return record(name, {a, b}, binary(name, op, a, b), [op, a = Saved(a), b = Saved(b)](const Node& node, const Tensor& gy) -> Grads {
    const Tensor &x0 = a.get(node.op()), &x1 = b.get(node.op());
    return {node.wants(0) ? binary_grad({op, 0}, x0, x1, gy) : Tensor{}, node.wants(1) ? binary_grad({op, 1}, x0, x1, gy) : Tensor{}};
  });
}

}  // namespace

#define LORA_DEFINE_UNARY(op) \
  Tensor op(const Tensor& x) { return unary(#op, UnaryOp::op, kernels::unary::op::needs, x); }
LORA_UNARY_OPS(LORA_DEFINE_UNARY)
#undef LORA_DEFINE_UNARY

Tensor gelu(const Tensor& x, GeluApproximate approximate) { return approximate == GeluApproximate::tanh ? gelu_tanh(x) : gelu(x); }

Tensor leaky_relu(const Tensor& x, double negative_slope) { return param("leaky_relu", {ParamOp::leaky_relu, negative_slope}, x); }

Tensor elu(const Tensor& x, double alpha) { return param("elu", {ParamOp::elu, alpha}, x); }

Tensor clamp(const Tensor& x, std::optional<double> min, std::optional<double> max) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  const double low = min.value_or(-kInf), high = max.value_or(kInf);
  require(min.has_value() || max.has_value(), "clamp", "has neither min nor max; give at least one");
  require(!std::isnan(low) && !std::isnan(high), "clamp", "a bound is NaN: min ", low, ", max ", high,
          "; leave out a bound that is not wanted");
  return param("clamp", {ParamOp::clamp, low, high}, x);
}

Tensor hardtanh(const Tensor& x, double min, double max) {
  require(min <= max, "hardtanh", "needs min <= max, got min ", min, ", max ", max);
  return param("hardtanh", {ParamOp::hardtanh, min, max}, x);
}

Tensor pow(const Tensor& x, double exponent) {
  const auto as = [&x](UnaryOp op, kernels::Needs needs) { return unary("pow", op, needs, x); };
  if (exponent == 2.0) {
    return as(UnaryOp::square, kernels::unary::square::needs);
  }
  if (exponent == 0.5) {
    return as(UnaryOp::sqrt, kernels::unary::sqrt::needs);
  }
  if (exponent == -1.0) {
    return as(UnaryOp::reciprocal, kernels::unary::reciprocal::needs);
  }
  return param("pow", {ParamOp::pow, exponent}, x);
}

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
                  const Tensor& divisor = b.get("div");
                  return {node.wants(0) ? div(gy, divisor) : Tensor{},
                          node.wants(1) ? binary_grad({BinaryOp::div, 1}, a.get("div"), divisor, gy) : Tensor{}};
                });
}

Tensor pow(const Tensor& a, const Tensor& b) { return curved("pow", BinaryOp::pow, a, b); }

Tensor pow(double base, const Tensor& exponent) {
  detail::require_float("pow", exponent);
  return pow(full({}, base, exponent.dtype(), exponent.device()), exponent);
}

Tensor maximum(const Tensor& a, const Tensor& b) { return curved("maximum", BinaryOp::maximum, a, b); }

Tensor minimum(const Tensor& a, const Tensor& b) { return curved("minimum", BinaryOp::minimum, a, b); }

Tensor affine(const Tensor& x, double scale, double shift) {
  detail::require_float("affine", x);
  Tensor y = empty_like(x);
  detail::kernels_of(x).affine(detail::context_of(x), scale, shift, x.view(), y.mutable_view());
  return record("affine", {x}, y, [scale](const Node&, const Tensor& gy) -> Grads { return {affine(gy, scale, 0.0)}; });
}

}  // namespace lora
