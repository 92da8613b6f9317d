#pragma once
// What all learning-rate schedulers share: when they step, what they look at, and their state for checkpoints.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "nn/optim/optimizer.hpp"

namespace lora::optim {

/// How often step() is to be called.
enum class Interval { batch, epoch };

/// What step() is to be given: nothing, or a value of which smaller (a loss) or larger (an accuracy) is better.
enum class Metric { none, smaller_is_better, larger_is_better };

/// What a scheduler has to remember, by name. Infinite values are possible.
using SchedulerState = std::map<std::string, double>;

/// Changes the learning rates of an optimizer's groups as training goes on. The optimizer must live as long as the scheduler.
class Scheduler {
 public:
  virtual ~Scheduler() = default;
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  virtual Interval interval() const { return Interval::epoch; }
  virtual Metric metric() const { return Metric::none; }

  /// Called after the optimizer's step. @throws Error if the scheduler needs a metric
  virtual void step() = 0;
  /// The same with the value that metric() asks for; schedulers that ask for none ignore it.
  virtual void step(double metric) = 0;

  /// The current learning rates are not part of it: they are the optimizer's state.
  virtual SchedulerState state() const = 0;
  /// @throws Error naming what is missing, unexpected or wrong; then nothing was changed
  virtual void load_state(const SchedulerState& state) = 0;

 protected:
  explicit Scheduler(Optimizer& optimizer) : optimizer_(optimizer) {}
  Optimizer& optimizer() const { return optimizer_; }

 private:
  Optimizer& optimizer_;
};

namespace detail {

/// Checks that `state` has exactly the keys of `expected`.
void check_keys(std::string_view where, const SchedulerState& state, const SchedulerState& expected);

/// A whole number of 0 or more from a checked state.
std::int64_t count_in(std::string_view where, const SchedulerState& state, const std::string& key);

}  // namespace detail

}  // namespace lora::optim
