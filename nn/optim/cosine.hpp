#pragma once
// Cosine annealing of the learning rate.

#include <cstdint>

#include "nn/optim/lr_scheduler.hpp"

namespace lora::optim {

/// PyTorch's names and defaults.
struct CosineAnnealingOptions {
  std::int64_t T_max = 0;  ///< epochs from the highest rate to the lowest; must be given
  double eta_min = 0;      ///< the lowest rate, of all groups
};

/// From the optimizer's rate (at construction) down to eta_min along half a cosine, and up again after T_max epochs:
///   lr(t) = eta_min + (base_lr - eta_min) (1 + cos(pi t / T_max)) / 2
/// computed, as PyTorch does, from the rate before, so that rates that others change are followed.
/// @source Loshchilov & Hutter 2017, arXiv:1608.03983 (without restarts)
class CosineAnnealingLR final : public LRScheduler {
 public:
  /// @throws Error unless T_max >= 1 and eta_min >= 0
  CosineAnnealingLR(Optimizer& optimizer, const CosineAnnealingOptions& options);

 private:
  double next_lr(std::int64_t t, double lr, double base_lr) const override;

  CosineAnnealingOptions options_;
};

}  // namespace lora::optim
