#pragma once
// Lowering the learning rate when a metric stops getting better.

#include <cstdint>

#include "nn/optim/scheduler.hpp"

namespace lora::optim {

enum class Mode { min, max };
enum class ThresholdMode { rel, abs };

/// PyTorch's names and defaults.
struct ReduceLROnPlateauOptions {
  Mode mode = Mode::min;                              ///< whether smaller (a loss) or larger (an accuracy) is better
  double factor = 0.1;                                ///< the new rate is the old one times this; less than 1
  std::int64_t patience = 10;                         ///< epochs without a better value that are borne
  double threshold = 1e-4;                            ///< how much better a value must be to count
  ThresholdMode threshold_mode = ThresholdMode::rel;  ///< threshold as a share of the best value, or as it is
  std::int64_t cooldown = 0;                          ///< epochs after a change in which nothing is counted
  double min_lr = 0;                                  ///< no rate below this
  double eps = 1e-8;                                  ///< smaller changes of the rate are not made
};

/// Lowers the rates of all groups when more than `patience` epochs in a row brought no better value. step() must be given the value.
class ReduceLROnPlateau final : public Scheduler {
 public:
  /// @throws Error unless factor is in [0,1) and patience, cooldown, threshold, min_lr, eps >= 0
  explicit ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options = {});

  Metric metric() const override { return options_.mode == Mode::min ? Metric::smaller_is_better : Metric::larger_is_better; }
  /// @throws Error always: there is no metric
  void step() override;
  /// NaN counts as no better value.
  void step(double metric) override;
  SchedulerState state() const override;
  void load_state(const SchedulerState& state) override;

 private:
  bool better(double value) const;
  void reduce();

  ReduceLROnPlateauOptions options_;
  double best_;
  std::int64_t num_bad_epochs_ = 0;
  std::int64_t cooldown_counter_ = 0;
};

}  // namespace lora::optim
