#pragma once
// The layer that looks rows up: tokens, classes or positions to vectors.

#include <optional>

#include "nn/module.hpp"

namespace lora::nn {

/// y[.., :] = weight[x[..], :] for i64 (or i32) x of any shape in 0..num_embeddings-1, weight [num_embeddings, embedding_dim]. The weight
/// starts normal with mean 0 and deviation 1, drawn from the default generator.
class Embedding final : public Module {
 public:
  /// @param padding_idx  a row that starts as zeros and gets no gradient; -1 is the last
  Embedding(Index num_embeddings, Index embedding_dim, std::optional<Index> padding_idx = std::nullopt, DType dtype = DType::f32);

  Index num_embeddings() const { return weight_.size(0); }
  Index embedding_dim() const { return weight_.size(1); }
  /// Counted from the start.
  std::optional<Index> padding_idx() const { return padding_idx_; }
  const Tensor& weight() const { return weight_; }

  /// @throws Error naming an index outside of the rows and its position
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  Tensor weight_;
  std::optional<Index> padding_idx_;
};

}  // namespace lora::nn
