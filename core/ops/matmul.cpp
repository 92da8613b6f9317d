#include "core/ops/matmul.hpp"

#include <functional>
#include <numeric>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/product_dtype.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

/// x as a batch of matrices [B,rows,cols] without a copy; the leading axes must merge into one.
template <class V>
V batch_view(const V& x) {
  const int n = x.shape.ndim();
  V view = x;
  Index batch = 1, step = 0;
  for (int i = n - 3; i >= 0; --i) {
    step = batch == 1 ? x.strides[i] : step;  // that of the innermost axis which has one
    batch *= x.shape[i];
  }
  view.shape = {batch, x.shape[n - 2], x.shape[n - 1]};
  view.strides = {step, x.strides[n - 2], x.strides[n - 1]};
  return view;
}

/// True if the leading axes of x step through memory like one axis; axes of size 1 do not count, whatever their strides.
bool batch_merges(const Tensor& x) {
  Index inner = 1, step = 0;  // size and stride of the axis further in that counts
  for (int i = x.ndim() - 3; i >= 0; --i) {
    const Index size = x.shape()[i];
    if (size != 1 && inner != 1 && x.strides()[i] != step * inner) {
      return false;
    }
    step = size != 1 ? x.strides()[i] : step;
    inner = size != 1 ? size : inner;
  }
  return true;
}

/// True if rows or columns of the matrices lie without gaps, as products want them.
bool has_unit_stride(const Tensor& x) {
  const int n = x.ndim();
  return x.size(-1) == 1 || x.size(-2) == 1 || x.strides()[n - 1] == 1 || x.strides()[n - 2] == 1;
}

/// x as it is if gemm can read it quickly, else a row-major copy.
Tensor readable(const Tensor& x) { return batch_merges(x) && has_unit_stride(x) ? x : clone(x); }

/// alpha a b (+ addend) for a [..,m,k] and b [..,k,n] of equal leading axes.
Tensor gemm(double alpha, const Tensor& a, const Tensor& b, const Tensor& addend = {}) {
  Shape shape = a.shape();
  shape[a.ndim() - 1] = b.shape().back();
  Tensor c = empty(shape, a.dtype(), a.device());
  const Tensor x0 = readable(a);
  const Tensor x1 = readable(b);
  ConstView start;
  if (addend.defined()) {
    const Tensor full = expand(addend.detach(), shape);
    start = batch_view((batch_merges(full) ? full : clone(full)).view());
  }
  detail::kernels_of(a).gemm(detail::context_of(a), alpha, batch_view(x0.view()), batch_view(x1.view()),
                             addend.defined() ? &start : nullptr, batch_view(c.mutable_view()));
  return c;
}

Tensor transposed(const Tensor& x) { return transpose(x, -1, -2); }

/// matmul for operands with at least two axes and equal leading axes.
Tensor batched_matmul(const Tensor& a, const Tensor& b) {
  const detail::ProductDType in(a);
  return record("matmul", {a, b}, in.result(gemm(1.0, in.operand(a.detach()), in.operand(b.detach()))),
                [in, a = Saved(a, b.requires_grad()), b = Saved(b, a.requires_grad())](const Node& node, const Tensor& gy) -> Grads {
                  const Tensor slope = in.operand(gy);
                  return {node.wants(0) ? in.result(gemm(1.0, slope, transposed(in.operand(b.get("matmul"))))) : Tensor{},
                          node.wants(1) ? in.result(gemm(1.0, transposed(in.operand(a.get("matmul"))), slope)) : Tensor{}};
                });
}

/// x with the leading axes `batch` in front of its last two.
Tensor with_batch(const Tensor& x, const Shape& batch) {
  Shape shape = batch;
  shape.push_back(x.size(-2));
  shape.push_back(x.size(-1));
  return expand(x, shape);
}

Shape leading(const Tensor& x) {
  Shape shape;
  for (int i = 0; i < x.ndim() - 2; ++i) {
    shape.push_back(x.shape()[i]);
  }
  return shape;
}

Tensor linear_rows(std::string_view op, const Tensor& addend, const Tensor& x, const Tensor& weight, double scale) {
  const detail::ProductDType in(x);
  const Tensor y = in.result(gemm(scale, in.operand(x.detach()), transposed(in.operand(weight.detach())), in.operand(addend)));
  return record(op, {x, weight, addend}, y,
                [in, scale, op, x = Saved(x, weight.requires_grad()), w = Saved(weight, x.requires_grad())](const Node& node,
                                                                                                            const Tensor& gy) -> Grads {
                  const Tensor slope = node.wants(0) || node.wants(1) ? in.operand(gy) : gy;
                  return {node.wants(0) ? in.result(gemm(scale, slope, in.operand(w.get(op)))) : Tensor{},
                          node.wants(1) ? in.result(gemm(scale, transposed(slope), in.operand(x.get(op)))) : Tensor{}, gy};
                });
}

Tensor linear_any(std::string_view op, const Tensor& addend, const Tensor& x, const Tensor& weight, double scale) {
  detail::require_same_float(op, x, weight);
  require(weight.ndim() == 2 && x.ndim() > 0 && x.size(-1) == weight.size(1), op, "inner sizes differ: x ", x, ", weight ", weight,
          "; weight is [out, in] and the last axis of x has the size in");
  Shape shape = x.shape();
  shape[x.ndim() - 1] = weight.size(0);
  if (addend.defined()) {
    detail::require_same_float(op, addend, weight);
    require(broadcast_shapes(op, addend.shape(), shape) == shape, op, addend, " does not broadcast to the result ", shape);
  }
  if (x.ndim() == 2) {
    return linear_rows(op, addend, x, weight, scale);
  }
  const Index rows = std::accumulate(x.shape().begin(), x.shape().end() - 1, Index{1}, std::multiplies<>());
  const bool per_row = addend.defined() && addend.ndim() > 1;
  const Tensor start = per_row ? reshape(expand(addend, shape), {rows, weight.size(0)}) : addend;
  return reshape(linear_rows(op, start, reshape(x, {rows, x.size(-1)}), weight, scale), shape);
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  detail::require_same_float("matmul", a, b);
  require(a.ndim() > 0 && b.ndim() > 0, "matmul", "needs at least one axis each: a ", a, ", b ", b);
  const Tensor left = a.ndim() == 1 ? unsqueeze(a, 0) : a;
  const Tensor right = b.ndim() == 1 ? unsqueeze(b, 1) : b;
  require(left.size(-1) == right.size(-2), "matmul", "inner sizes differ: a ", a, ", b ", b, "; for a x b^T call linear(a, b)");
  const Shape batch = broadcast_shapes("matmul", leading(left), leading(right));
  Tensor y = batched_matmul(with_batch(left, batch), with_batch(right, batch));
  if (b.ndim() == 1) {
    y = squeeze(y, -1);
  }
  return a.ndim() == 1 ? squeeze(y, b.ndim() == 1 ? -1 : -2) : y;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) { return linear_any("linear", bias, x, weight, 1.0); }

Tensor linear_add(const Tensor& addend, const Tensor& x, const Tensor& weight, double scale) {
  return linear_any("linear_add", addend, x, weight, scale);
}

}  // namespace lora
