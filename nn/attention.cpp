#include "nn/attention.hpp"

#include <algorithm>
#include <cmath>

#include "core/autograd.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/random.hpp"
#include "core/ops/view.hpp"

namespace lora::nn {

namespace {

/// Uniform in +-sqrt(6 / (rows + columns)).
Tensor glorot_uniform(Index rows, Index columns, DType dtype) {
  const double bound = std::sqrt(6.0 / static_cast<double>(rows + columns));
  return uniform({rows, columns}, -bound, bound, dtype);
}

}  // namespace

MultiheadAttention::MultiheadAttention(Index embed_dim, Index heads, const MultiheadAttentionOptions& options, DType dtype)
    : embed_dim_(embed_dim),
      heads_(heads),
      batch_first_(options.batch_first),
      out_proj_(std::max<Index>(embed_dim, 0), std::max<Index>(embed_dim, 0), options.bias, dtype) {
  require(embed_dim > 0 && heads > 0 && embed_dim % heads == 0, "MultiheadAttention", "embed_dim is ", embed_dim, " and heads ", heads,
          "; embed_dim must be a multiple of heads, both 1 or more");
  in_proj_weight_ = param("in_proj_weight", glorot_uniform(3 * embed_dim, embed_dim, dtype));
  if (options.bias) {
    in_proj_bias_ = param("in_proj_bias", zeros({3 * embed_dim}, dtype));
    const NoGrad no_grad;
    Tensor(out_proj_.bias()).fill_(0.0);
  }
  child("out_proj", out_proj_);
}

Tensor MultiheadAttention::project(const Tensor& x, Index first, Index count) const {
  require(x.ndim() >= 2 && x.size(-1) == embed_dim_, "MultiheadAttention", "needs an input [..,", embed_dim_, "] of two or more axes, got ",
          x);
  const Index from = first * embed_dim_, features = count * embed_dim_;
  const Tensor bias = in_proj_bias_.defined() ? narrow(in_proj_bias_, 0, from, features) : in_proj_bias_;
  const Tensor y = linear(batch_in_front(x), narrow(in_proj_weight_, 0, from, features), bias);
  Shape parts = y.shape();
  parts[y.ndim() - 1] = count * heads_;
  parts.push_back(embed_dim_ / heads_);
  return transpose(reshape(y, parts), -2, -3);
}

Tensor MultiheadAttention::batch_in_front(const Tensor& x) const { return batch_first_ || x.ndim() == 2 ? x : transpose(x, 0, 1); }

Tensor MultiheadAttention::attend(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) const {
  const Tensor heads = transpose(scaled_dot_product_attention(q, k, v, options), -2, -3);
  return batch_in_front(out_proj_(flatten(heads, -2)));
}

Tensor MultiheadAttention::forward(const Tensor& x) const {
  const Tensor qkv = project(x, 0, 3);
  const auto third = [&](Index i) { return narrow(qkv, -3, i * heads_, heads_); };
  return attend(third(0), third(1), third(2), {});
}

Tensor MultiheadAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& options) const {
  return attend(project(query, 0, 1), project(key, 1, 1), project(value, 2, 1), options);
}

std::string MultiheadAttention::describe() const {
  return "MultiheadAttention(" + std::to_string(embed_dim_) + ", " + std::to_string(heads_) +
         (in_proj_bias_.defined() ? "" : ", bias=false") + (batch_first_ ? ", batch_first=true)" : ")");
}

}  // namespace lora::nn
