#include "core/ops/compare.hpp"

#include <cmath>
#include <limits>

#include "core/autograd.hpp"
#include "core/ops/broadcast.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"

namespace lora {

namespace {

using kernels::CompareOp;

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor compare(std::string_view name, CompareOp op, const Tensor& a, const Tensor& b) {
  detail::require_same_device(name, a, b);
  require(a.dtype() == b.dtype(), name, "operands differ in dtype: ", a, " and ", b, "; convert one with to()");
  const detail::Operands x = detail::broadcast_operands(name, a, b);
  Tensor y = empty_like(x.model(), DType::boolean);
  detail::kernels_of(a).compare(detail::context_of(a), op, x.a.view(), x.b.view(), y.mutable_view());
  return y;
}

Tensor scalar_like(const Tensor& x, double value) { return full({}, value, x.dtype(), x.device()); }

/// Whether a number of type `dtype` has this value.
bool holds(DType dtype, double value) {
  const auto whole_within = [value](double low, double high) { return value >= low && value <= high && std::trunc(value) == value; };
  switch (dtype) {
    case DType::boolean: return whole_within(0, 1);
    case DType::u8: return whole_within(0, 255);
    case DType::i32: return whole_within(-0x1p31, 0x1p31 - 1);
    case DType::i64: return whole_within(-0x1p63, 0x1p63 - 1024);  // the largest double below 2^63
    default: return true;                                          // floating: rounded
  }
}

/// A tensor and a number as two tensors. A number that integers of x's type do not have is compared in f64: if it has a fraction, it is
/// below 2^52, where f64 has all integers, and if it is out of their range, infinity is as good.
struct WithNumber {
  Tensor x, number;
  WithNumber(const Tensor& tensor, double value)
      : x(holds(tensor.dtype(), value) ? tensor : to(tensor, DType::f64)),
        number(scalar_like(x, x.dtype() == tensor.dtype() || std::abs(value) < 0x1p52 ? value : value * kInf)) {}
};

void check_condition(std::string_view name, const Tensor& condition) {
  require(condition.dtype() == DType::boolean, name, "needs a bool mask, got ", condition, "; make one with ne(x, 0)");
}

/// a, b and the condition expanded to one shape; the result has the layout of the first that is not repeated.
Tensor choose(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const Shape pair = broadcast_shapes("where", a.shape(), b.shape());
  const Shape shape = broadcast_shapes("where", condition.shape(), pair);
  const Tensor& model = a.shape() == shape ? a : b.shape() == shape ? b : condition;
  Tensor y = empty_like(expand(model.detach(), shape), a.dtype());
  detail::kernels_of(a).where(detail::context_of(a), expand(condition, shape).view(), expand(a.detach(), shape).view(),
                              expand(b.detach(), shape).view(), y.mutable_view());
  return y;
}

}  // namespace

#define LORA_DEFINE_COMPARE(op)                                                             \
  Tensor op(const Tensor& a, const Tensor& b) { return compare(#op, CompareOp::op, a, b); } \
  Tensor op(const Tensor& x, double value) {                                                \
    const WithNumber pair(x, value);                                                        \
    return compare(#op, CompareOp::op, pair.x, pair.number);                                \
  }
LORA_COMPARE_OPS(LORA_DEFINE_COMPARE)
#undef LORA_DEFINE_COMPARE

Tensor gt(const Tensor& a, const Tensor& b) { return compare("gt", CompareOp::lt, b, a); }

Tensor ge(const Tensor& a, const Tensor& b) { return compare("ge", CompareOp::le, b, a); }

Tensor gt(const Tensor& x, double value) {
  const WithNumber pair(x, value);
  return gt(pair.x, pair.number);
}

Tensor ge(const Tensor& x, double value) {
  const WithNumber pair(x, value);
  return ge(pair.x, pair.number);
}

Tensor isnan(const Tensor& x) { return ne(x, x); }

Tensor isinf(const Tensor& x) { return logical_or(eq(x, kInf), eq(x, -kInf)); }

Tensor isfinite(const Tensor& x) { return logical_and(lt(x, kInf), gt(x, -kInf)); }

Tensor logical_not(const Tensor& x) { return eq(x, 0.0); }

// Of bools, a > not b is a and b, and a >= not b is a or b.

Tensor logical_and(const Tensor& a, const Tensor& b) { return gt(to(a, DType::boolean), logical_not(b)); }

Tensor logical_or(const Tensor& a, const Tensor& b) { return ge(to(a, DType::boolean), logical_not(b)); }

Tensor logical_xor(const Tensor& a, const Tensor& b) { return ne(to(a, DType::boolean), to(b, DType::boolean)); }

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_condition("where", condition);
  detail::require_same_device("where", a, b);
  detail::require_same_device("where", a, condition);
  require(a.dtype() == b.dtype(), "where", "a and b differ in dtype: ", a, " and ", b, "; convert one with to()");
  return record("where", {a, b}, choose(condition, a, b), [condition = Saved(condition)](const Node& node, const Tensor& gy) -> Grads {
    const Tensor &mask = condition.get(node.op()), zero = scalar_like(gy, 0.0);
    return {node.wants(0) ? choose(mask, gy, zero) : Tensor{}, node.wants(1) ? choose(mask, zero, gy) : Tensor{}};
  });
}

Tensor where(const Tensor& condition, const Tensor& a, double b) { return where(condition, a, scalar_like(a, b)); }

Tensor where(const Tensor& condition, double a, const Tensor& b) { return where(condition, scalar_like(b, a), b); }

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  check_condition("masked_fill", mask);
  require(broadcast_shapes("masked_fill", mask.shape(), x.shape()) == x.shape(), "masked_fill", "the mask ", mask,
          " does not broadcast to the shape of ", x);
  return where(mask, value, x);
}

}  // namespace lora
