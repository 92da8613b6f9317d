#pragma once
// What schedulers share whose rates follow from the number of steps alone.

#include <cstdint>
#include <string>
#include <vector>

#include "nn/optim/scheduler.hpp"

namespace lora::optim {

/// Counts steps, and asks for the rate of each group after each of them. The groups are those at construction.
class LRScheduler : public Scheduler {
 public:
  /// @throws Error if the optimizer has got another group since, or where next_lr() does; then nothing was changed
  void step() final;
  void step(double) final { step(); }
  /// `last_epoch`, the number of steps, and `base_lr.i` of each group i.
  SchedulerState state() const final;
  void load_state(const SchedulerState& state) final;

 protected:
  /// Takes the rates of now as base rates. @param name  for errors
  LRScheduler(std::string name, Optimizer& optimizer);

  /// The rate of a group after step t, counted from 1. Schedulers that follow PyTorch's recurrences start from `lr`, so that rates that
  /// others change are followed; what rounding leaves below 0 is taken as 0.
  /// @param lr  its rate before the step. @param base_lr  its rate at construction
  virtual double next_lr(std::int64_t t, double lr, double base_lr) const = 0;
  /// @throws Error if there is no step t
  virtual void check_step(std::int64_t) const {}

 private:
  std::string name_;
  std::vector<double> base_lrs_;
  std::int64_t last_epoch_ = 0;
};

}  // namespace lora::optim
