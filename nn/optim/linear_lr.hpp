#pragma once
// Changing the learning rate along a line, as for a warm-up.

#include <cstdint>

#include "nn/optim/lr_scheduler.hpp"

namespace lora::optim {

/// PyTorch's names and defaults.
struct LinearLROptions {
  double start_factor = 1.0 / 3;  ///< of the first rate, in (0,1]
  double end_factor = 1.0;        ///< of the last rate, in [0,1]
  std::int64_t total_iters = 5;   ///< epochs from the first rate to the last
};

/// lr(t) = base_lr (start_factor + (end_factor - start_factor) min(t, total_iters) / total_iters), computed, as PyTorch does, from the
/// rate before. The optimizer's rates are multiplied by start_factor at construction.
class LinearLR final : public LRScheduler {
 public:
  /// @throws Error unless start_factor is in (0,1], end_factor in [0,1] and total_iters >= 1; then the rates are as they were
  explicit LinearLR(Optimizer& optimizer, const LinearLROptions& options = {});

 private:
  double next_lr(std::int64_t t, double lr, double base_lr) const override;

  LinearLROptions options_;
};

}  // namespace lora::optim
