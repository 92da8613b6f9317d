#include "core/ops/attention.hpp"

#include <cmath>

#include "core/autocast.hpp"
#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

constexpr const char* kOp = "scaled_dot_product_attention";

Tensor transposed(const Tensor& x) { return transpose(x, -1, -2); }

/// The shape [.., rows of q, rows of k].
Shape score_shape(const Tensor& q, const Tensor& k, const Tensor& v) {
  const auto leading = [](const Tensor& x) { return Shape(std::span<const Index>(x.shape().begin(), x.shape().end() - 2)); };
  Shape shape = broadcast_shapes(kOp, broadcast_shapes(kOp, leading(q), leading(k)), leading(v));
  shape.push_back(q.size(-2));
  shape.push_back(k.size(-2));
  return shape;
}

void check_operands(const Tensor& q, const Tensor& k, const Tensor& v) {
  detail::require_same_float(kOp, q, k);
  detail::require_same_float(kOp, q, v);
  require(q.ndim() >= 2 && k.ndim() >= 2 && v.ndim() >= 2 && q.size(-1) == k.size(-1) && k.size(-2) == v.size(-2), kOp,
          "needs q [..,L,E], k [..,S,E] and v [..,S,Ev], got ", q, ", ", k, " and ", v);
}

void check_mask(const AttentionOptions& options, const Tensor& q, const Shape& scores) {
  const Tensor& mask = options.attn_mask;
  if (!mask.defined()) {
    return;
  }
  detail::require_same_device(kOp, q, mask);
  require(!options.is_causal, kOp, "a mask and is_causal exclude each other; put both into the mask");
  require(mask.dtype() == DType::boolean || mask.dtype() == q.dtype(), kOp, "the mask ", mask, " is neither bool nor of the dtype of q ",
          q);
  require(broadcast_shapes(kOp, mask.shape(), scores) == scores, kOp, "the mask ", mask, " does not broadcast to the scores ", scores);
}

/// The weights of the values, in the place of the scores.
Tensor softmax_of(Tensor scores, const AttentionOptions& options) {
  ConstView mask;
  if (options.attn_mask.defined()) {
    mask = expand(options.attn_mask.detach(), scores.shape()).view();
  }
  detail::kernels_of(scores).masked_softmax(detail::context_of(scores), options.is_causal, scores.view(),
                                            options.attn_mask.defined() ? &mask : nullptr, scores.mutable_view());
  return scores;
}

/// The gradient of the scores from that of the weights.
Tensor scores_grad(const Tensor& weights, const Tensor& g) {
  Tensor gx = empty_like(weights);
  const int last = weights.ndim() - 1;
  detail::kernels_of(g).softmax_grad(detail::context_of(g), false, last, weights.view(), g.view(), gx.mutable_view());
  return gx;
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) {
  check_operands(q, k, v);
  const Shape shape = score_shape(q, k, v);
  check_mask(options, q, shape);
  const double scale = options.scale.value_or(1.0 / std::sqrt(static_cast<double>(q.size(-1))));
  require(std::isfinite(scale) || q.size(-1) == 0, kOp, "the scale is ", scale, "; it must be finite");
  const Tensor scores = matmul(q.detach() * scale, transposed(k.detach()));
  const Tensor weights = softmax_of(scores.shape() == shape ? scores : clone(expand(scores, shape)), options);
  const bool inner = q.requires_grad() || k.requires_grad() || (options.attn_mask.defined() && options.attn_mask.requires_grad());
  return record(kOp, {q, k, v, options.attn_mask}, matmul(weights, v.detach()),
                [scale, q = Saved(q, k.requires_grad()), k = Saved(k, q.requires_grad()), v = Saved(v, inner), weights = Saved(weights),
                 inner, products = autocast_dtype()](const Node& node, const Tensor& gy) -> Grads {
                  const Autocast as_forward(products);
                  const Tensor& p = weights.get(kOp);
                  const Tensor gv = node.wants(2) ? matmul(transposed(p), gy) : Tensor{};
                  if (!inner) {
                    return {{}, {}, gv, {}};
                  }
                  const Tensor gs = scores_grad(p, matmul(gy, transposed(v.get(kOp))));
                  return {node.wants(0) ? matmul(gs, k.get(kOp)) * scale : Tensor{},
                          node.wants(1) ? matmul(transposed(gs), q.get(kOp) * scale) : Tensor{}, gv, node.wants(3) ? gs : Tensor{}};
                });
}

}  // namespace lora
