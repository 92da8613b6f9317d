#pragma once
// Lowering the learning rate by a factor every epoch.

#include "nn/optim/lr_scheduler.hpp"

namespace lora::optim {

/// PyTorch's names.
struct ExponentialLROptions {
  double gamma = 0;  ///< the new rate is the old one times this; must be given
};

/// lr(t) = base_lr gamma^t, computed from the rate before.
class ExponentialLR final : public LRScheduler {
 public:
  /// @throws Error unless gamma > 0
  ExponentialLR(Optimizer& optimizer, const ExponentialLROptions& options);

 private:
  double next_lr(std::int64_t t, double lr, double base_lr) const override;

  ExponentialLROptions options_;
};

}  // namespace lora::optim
