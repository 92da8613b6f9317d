#pragma once
// Attention with several heads.

#include "core/ops/attention.hpp"
#include "nn/linear.hpp"

namespace lora::nn {

struct MultiheadAttentionOptions {
  bool bias = true;
  bool batch_first = false;  ///< inputs [N, L, E], else [L, N, E]
};

/// Projects query, key and value, attends in `heads` parts of E / heads features each, and projects the result:
///   out_proj(concat_h attention(q_h, k_h, v_h)), (q, k, v) = (query, key, value) in_proj_weight^T + in_proj_bias, by thirds
/// Parameters in_proj_weight [3E, E], in_proj_bias [3E], out_proj.weight [E, E] and out_proj.bias [E], as in PyTorch; the weights start as
/// there (Glorot and uniform in +-1/sqrt(E)), the biases with 0. out_proj can be adapted as every Linear.
/// @source Vaswani et al. 2017, arXiv:1706.03762; Glorot & Bengio 2010
class MultiheadAttention final : public Module {
 public:
  MultiheadAttention(Index embed_dim, Index heads, const MultiheadAttentionOptions& options = {}, DType dtype = DType::f32);

  /// Self-attention of x [L, N, E] (with batch_first [N, L, E]; without a batch [L, E]).
  Tensor forward(const Tensor& x) const override;
  /// @param query  [L, N, E] (with batch_first [N, L, E]; without a batch [L, E]). @param key,value  the same with S instead of L
  /// @param options  as for scaled_dot_product_attention(), the mask for scores [N, heads, L, S]: a bool mask is true where attention is
  /// allowed (that of torch.nn.MultiheadAttention is true where it is not)
  Tensor forward(const Tensor& query, const Tensor& key, const Tensor& value, const AttentionOptions& options = {}) const;
  std::string describe() const override;

 private:
  /// Part `first` of the projections, `count` of them, as [.., count * heads, rows, E / heads].
  Tensor project(const Tensor& x, Index first, Index count) const;
  Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options) const;
  Tensor batch_in_front(const Tensor& x) const;

  Index embed_dim_, heads_;
  bool batch_first_;
  Tensor in_proj_weight_, in_proj_bias_;
  Linear out_proj_;
};

}  // namespace lora::nn
