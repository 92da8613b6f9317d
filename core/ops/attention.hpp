#pragma once
// Attention: averages of values, weighted by how well keys fit a query.

#include <optional>

#include "core/tensor.hpp"

namespace lora {

struct AttentionOptions {
  Tensor attn_mask = {};             ///< broadcasts to [.., L, S]: bool, true allows; or floating, added to the scores (-inf forbids)
  bool is_causal = false;            ///< query i sees keys 0..i only; not together with a mask
  std::optional<double> scale = {};  ///< 1 / sqrt(E) if left out
};

/// y = softmax(scale q k^T + mask) v. A query that may see no key gives zeros.
/// @param q  [.., L, E]. @param k  [.., S, E]. @param v  [.., S, Ev]; f32 or f64, one dtype; leading axes broadcast
/// @return [.., L, Ev]. @throws Error if shapes or dtypes do not fit, or a mask is given with is_causal
/// @grad q, k, v and a floating mask; saves q, k, v and the weights [.., L, S]
/// @source Vaswani et al. 2017, arXiv:1706.03762
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionOptions& options = {});

}  // namespace lora
