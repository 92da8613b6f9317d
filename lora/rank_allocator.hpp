#pragma once
// Distributing a budget of ranks over the layers of an adapter while it is trained: what the methods share.

#include <string>
#include <utility>
#include <vector>

#include "lora/attach.hpp"
#include "lora/gated_adapter.hpp"
#include "nn/training_term.hpp"

namespace lora {

/// Prunes components of gated adapters by setting their gates to 0. Until the masks are fixed the optimizer may move a gate from 0 again,
/// so that its component revives if it scores better at the next pruning.
class RankAllocator : public nn::TrainingTerm {
 public:
  /// The rank of each layer by its path: components that the last pruning left.
  std::vector<std::pair<std::string, Index>> ranks() const;
  bool settled() const override { return fixed_.item<Index>() != 0; }
  /// Removes what fixed masks prune; where they are not fixed, nothing is pruned and all components stay.
  void finish() override;
  NamedTensors state() const override { return state_; }
  void load_state(const NamedTensors& state) override;

 protected:
  struct Layer {
    std::string path;
    GatedAdapter* adapter;
    Tensor mask;  ///< bool [r]: components that stay
  };

  /// @param adapter  its model must outlive this. @throws Error if a layer's adapter is not gated
  explicit RankAllocator(const AttachedAdapter& adapter);

  const std::vector<Layer>& layers() const { return layers_; }
  /// Components of all layers.
  Index components() const;
  /// Steps done, counted by next_step().
  Index steps() const { return steps_.item<Index>(); }
  void next_step() { steps_.fill_(static_cast<double>(steps() + 1)); }
  /// Makes a tensor part of the state, to be changed in place. @param name  unique
  Tensor track(const std::string& name, Tensor value);

  /// Prunes the `count` components of all layers with the lowest scores and lets the others be. Of equal scores the components last in
  /// their layers go first, so that layers share the loss; NaN is lower than all.
  /// @param scores  [r] for each layer
  void prune(const std::vector<Tensor>& scores, Index count);
  /// Sets the gates of pruned components to 0 again.
  void apply_masks();
  /// From now on the masks stay.
  void fix() { fixed_.fill_(1); }

 private:
  std::vector<Layer> layers_;
  NamedTensors state_;
  Tensor steps_, fixed_;  // i64 [1]
};

}  // namespace lora
