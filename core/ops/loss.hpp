#pragma once
// Losses.

#include "core/tensor.hpp"

namespace lora {

/// Mean cross entropy of a softmax:  mean_i( logsumexp_j(logits[i,j]) - logits[i, target[i]] ), in nats.
/// @param logits  [N, C], f32 or f64, N > 0. @param target  [N], i64 in 0..C-1. @return a scalar
/// @throws Error naming the row and the value of a target outside the classes
/// @grad logits; saves the log-probabilities
Tensor cross_entropy(const Tensor& logits, const Tensor& target);

}  // namespace lora
