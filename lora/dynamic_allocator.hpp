#pragma once
// What dynamic low-rank adaptation does in training: the importance of components, the schedule of pruning, and the regulariser.

#include "lora/dynamic_lora.hpp"
#include "lora/rank_allocator.hpp"

namespace lora {

/// Give it to the Trainer as a term, or call loss() and after_step() in a loop of one's own.
///
/// The importance of component i of a layer is its share in the layer's update, ||c_i b_i a_i||_F / (||B diag(c) A||_F + 1e-8), smoothed
/// after each step: score = beta score + (1 - beta) importance, from 0. Pruning sets c of the components of lowest score in all layers to
/// 0; A and B keep what they have, so a component can grow back until the last pruning.
/// @source Mao et al. 2024, arXiv:2405.17357
class DynamicAllocator final : public RankAllocator {
 public:
  DynamicAllocator(const AttachedAdapter& adapter, DynamicLoraConfig config);

  /// dem_weight times the mean variance (over n - 1) of the rows of A and columns of B of all layers, which keeps components from resting
  /// on few inputs or outputs. Undefined when the ranks are final, and where the weight is 0.
  Tensor loss() const override;
  void after_step() override;

  /// How many of all components are pruned after step t (from 0): (all - target) ((t - first) / (last - first))^3, rounded down, between
  /// the first and the last step of pruning.
  Index pruned(Index step) const;

 private:
  void update_scores();

  DynamicLoraConfig config_;
  Index first_, last_;          // steps that prune
  std::vector<Tensor> scores_;  // [r] of each layer
};

}  // namespace lora
