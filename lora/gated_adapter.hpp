#pragma once
// A low-rank adapter whose components have a gate each, so that they can be switched off and removed: what rank-allocating methods share.

#include <string>
#include <vector>

#include "nn/adaptable.hpp"
#include "nn/adapter.hpp"

namespace lora {

/// How the components of a GatedAdapter start.
struct GatedStart {
  Tensor a;                ///< the layer's down_shape(rank)
  Tensor b;                ///< the layer's up_shape(rank)
  std::string gate;        ///< name of the gates, which start at 0
  double scaling = 1.0;    ///< s of the formula
  double dropout = 0.0;    ///< probability, of the adapter's input only
  std::vector<bool> kept;  ///< of the components that the method counts, those that are there: as many as a and b have
};

/// y = W x + b + s B(diag(g) A(dropout(x))), with A of shape down_shape(r), B of up_shape(r) and gates g [r,1]. A component of a
/// convolution with G groups acts on the outputs of one group: component i on those of group i / (r / G).
class GatedAdapter final : public nn::Adapter {
 public:
  GatedAdapter(const nn::AdaptableLayer& layer, GatedStart start);

  Tensor add_to(const Tensor& sum, const nn::AdaptableLayer& layer, const Tensor& x, const Tensor& base) const override;
  /// W + s B diag(g) A, of a grouped convolution as a dense one.
  Tensor merged_weight(const nn::AdaptableLayer& layer, const Tensor& weight) const override;

  Index rank() const { return gate_.size(0); }
  Index groups() const { return groups_; }
  const Tensor& a() const { return a_; }
  const Tensor& b() const { return b_; }
  const Tensor& gate() const { return gate_; }

  /// Sums, means or norms are of rows of A [r, n], and of columns of B [G, out / G, r / G] on axis 1; what is left of these, flattened, has
  /// the order of the components. `like_a` and `like_b` are tensors of the shapes of A and B, as these themselves.
  Tensor rows(const Tensor& like_a) const;
  Tensor columns(const Tensor& like_b) const;

  /// Which of the components that the method began with are there.
  const std::vector<bool>& kept() const { return kept_; }
  /// Removes all components but these, and of a grouped convolution as few more as leave each group the same number.
  /// @param components  one for each that is there; the gates of the others must be 0, so that the function stays
  void keep(const std::vector<bool>& components);

 private:
  Tensor gated() const;

  double scaling_, dropout_;
  Index groups_;
  std::vector<bool> kept_;
  Tensor a_, gate_, b_;
};

}  // namespace lora
