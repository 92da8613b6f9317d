#pragma once
// AdaLoRA's part in training: how sensitive the loss is to each triplet, the schedule of the rank budget, and the regulariser.

#include "lora/adalora.hpp"
#include "lora/rank_allocator.hpp"

namespace lora {

/// Give it to the Trainer as a term, or call loss() and after_step() in a loop of one's own.
///
/// Sensitivities of each element p, with its gradient g: I = |p g|, smoothed M = beta1 M + (1 - beta1) I, uncertainty
/// U = beta2 U + (1 - beta2) |I - M|, score M U. A triplet scores the score of its E, plus the mean over its row of A, plus that over its
/// column of B. The triplets of lowest score beyond the budget get E = 0; A and B keep what they have, so a triplet can revive.
/// @source Zhang et al. 2023, arXiv:2303.10512, in the recurrences of PEFT; of equal scores PEFT prunes all, here the number of pruned
/// triplets is always that of the budget
class AdaLoraAllocator final : public RankAllocator {
 public:
  AdaLoraAllocator(const AttachedAdapter& adapter, AdaLoraConfig config);

  /// orth_reg_weight times the mean over the matrices A, B of all layers of ||A A^T - I||_F and ||B^T B - I||_F: rows and columns shall be
  /// orthonormal. Undefined where the weight is 0.
  Tensor loss() const override;
  /// update_and_allocate() of the next step; after the last one the masks are fixed also if tfinal is 0.
  void after_step() override;

  /// Sum of ranks that step t (from 0) leaves: all for t <= tinit, target_r a layer for t >= total_step - tfinal, between them
  /// target + (all - target) (1 - (t - tinit) / (total_step - tfinal - tinit))^3, rounded down.
  Index budget(Index step) const;
  /// What belongs after the optimizer's step t, with its gradients: until total_step - tfinal sensitivities are updated, and every deltaT
  /// steps after tinit triplets are pruned; then masks are fixed, and kept by later calls.
  void update_and_allocate(Index step);

 private:
  /// Of one tensor, element by element.
  struct Sensitivity {
    Tensor parameter, mean, uncertainty;
  };
  struct LayerSensitivity {
    Sensitivity a, e, b;
  };
  Sensitivity follow(const std::string& name, const Tensor& parameter);
  void update(Sensitivity& s) const;
  void prune_to(Index budget);

  AdaLoraConfig config_;
  std::vector<LayerSensitivity> sensitivities_;  // of each layer
};

}  // namespace lora
