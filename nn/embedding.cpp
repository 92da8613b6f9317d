#include "nn/embedding.hpp"

#include "core/ops/index.hpp"
#include "core/ops/random.hpp"
#include "core/ops/view.hpp"

namespace lora::nn {

namespace {

std::optional<Index> row_of(std::optional<Index> padding_idx, Index rows) {
  if (!padding_idx) {
    return std::nullopt;
  }
  require(*padding_idx >= -rows && *padding_idx < rows, "Embedding", "padding_idx ", *padding_idx, " is not one of ", rows, " rows");
  return *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
}

Tensor initial(Index rows, Index columns, std::optional<Index> padding_idx, DType dtype) {
  const Tensor weight = randn({rows, columns}, dtype);
  if (padding_idx) {
    select(weight, 0, *padding_idx).zero_();
  }
  return weight;
}

}  // namespace

Embedding::Embedding(Index num_embeddings, Index embedding_dim, std::optional<Index> padding_idx, DType dtype)
    : weight_(param("weight", initial(num_embeddings, embedding_dim, row_of(padding_idx, num_embeddings), dtype))),
      padding_idx_(row_of(padding_idx, num_embeddings)) {}

Tensor Embedding::forward(const Tensor& x) const { return embedding(weight_, x, padding_idx_); }

std::string Embedding::describe() const {
  return "Embedding(" + std::to_string(num_embeddings()) + ", " + std::to_string(embedding_dim()) +
         (padding_idx_ ? ", padding_idx=" + std::to_string(*padding_idx_) + ")" : ")");
}

}  // namespace lora::nn
