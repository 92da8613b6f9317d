#pragma once
// Lowering the learning rate every few epochs.

#include <cstdint>

#include "nn/optim/lr_scheduler.hpp"

namespace lora::optim {

/// PyTorch's names and defaults.
struct StepLROptions {
  std::int64_t step_size = 0;  ///< epochs from one change to the next; must be given
  double gamma = 0.1;          ///< the new rate is the old one times this
};

/// lr(t) = base_lr gamma^floor(t / step_size), computed from the rate before.
class StepLR final : public LRScheduler {
 public:
  /// @throws Error unless step_size >= 1 and gamma >= 0
  StepLR(Optimizer& optimizer, const StepLROptions& options);

 private:
  double next_lr(std::int64_t t, double lr, double base_lr) const override;

  StepLROptions options_;
};

}  // namespace lora::optim
