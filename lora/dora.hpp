#pragma once
// DoRA: LoRA on the directions of a weight's rows, with a trained magnitude for each.

#include <cstdint>
#include <memory>
#include <mutex>

#include "lora/lora.hpp"

namespace lora {

/// y = g (W x + s B(A(dropout(x)))) + b,  g = m / n for each output, n the norm of its row of W + s B A.
/// m is `lora_magnitude_vector`, [out] for Linear and [1, out, 1, 1] for Conv2d, and starts at the norms of W, so that a fresh adapter
/// changes no bit. n is a constant to the gradient. It is computed from |W|^2, W A^T and A A^T; with groups it is the norm of the dense
/// weight, as A acts on all inputs. Where n = 0 (a row of zeros) g is 1 and m gets no gradient: such a row learns its direction in B
/// first, and its magnitude as soon as B has left 0.
/// @source Liu et al. 2024, arXiv:2402.09353. Departure: dropout leaves W x alone
class DoraAdapter final : public LoraAdapter {
 public:
  DoraAdapter(const nn::AdaptableLayer& layer, const LoraConfig& config, Generator& generator);

  Tensor add_to(const Tensor& sum, const nn::AdaptableLayer& layer, const Tensor& x, const Tensor& base) const override;
  /// weight + g (W + s B A) - W, with the layer's own W: g (W + s B A) if there is no other adapter.
  Tensor merged_weight(const nn::AdaptableLayer& layer, const Tensor& weight) const override;

 private:
  Tensor squared_norms(const Tensor& weight) const;
  Tensor norms(const nn::AdaptableLayer& layer) const;
  Tensor gain(const nn::AdaptableLayer& layer) const;

  // |W|^2 of the weight seen last: a frozen one is summed once.
  mutable std::mutex mutex_;
  mutable std::weak_ptr<const Storage> seen_;
  mutable std::uint64_t seen_version_ = 0;
  mutable Tensor squares_;
  Tensor magnitude_;  // last: its first value is computed with the members above
};

}  // namespace lora
