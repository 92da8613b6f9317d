#pragma once
// The one-cycle policy for the learning rate.

#include <cstdint>

#include "nn/optim/lr_scheduler.hpp"

namespace lora::optim {

enum class Anneal { cos, linear };

/// PyTorch's names and defaults.
struct OneCycleOptions {
  double max_lr = 0;                     ///< the highest rate, of all groups; must be given
  std::int64_t total_steps = 0;          ///< optimizer steps of the whole training: epochs x batches; must be given
  double pct_start = 0.3;                ///< share of the steps on the way up, in [0,1]
  Anneal anneal_strategy = Anneal::cos;  ///< the form of both ways
  double div_factor = 25;                ///< first rate = max_lr / div_factor
  double final_div_factor = 1e4;         ///< last rate = first rate / final_div_factor
};

/// From max_lr / div_factor up to max_lr and down to almost nothing. Steps once a batch. The rates of all groups are set at
/// construction.
/// Two phases only, and the optimizer's betas stay as they are (PyTorch's three_phase = False, cycle_momentum = False).
/// @source Smith & Topin 2018, arXiv:1708.07120
class OneCycleLR final : public LRScheduler {
 public:
  /// @throws Error unless max_lr > 0, total_steps >= 1, pct_start is in [0,1] and the factors are > 0
  OneCycleLR(Optimizer& optimizer, const OneCycleOptions& options);

  Interval interval() const override { return Interval::batch; }

 private:
  double next_lr(std::int64_t t, double lr, double base_lr) const override;
  /// @throws Error after total_steps
  void check_step(std::int64_t t) const override;
  double rate_at(std::int64_t step) const;
  double anneal(double start, double end, double fraction) const;

  OneCycleOptions options_;
};

}  // namespace lora::optim
