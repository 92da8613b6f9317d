#pragma once
// What all optimizers share: the parameters they move, the learning rate, and their state for checkpoints.

#include <string>
#include <vector>

#include "core/serialize.hpp"
#include "core/tensor.hpp"

namespace lora::optim {

/// Moves parameters along their gradients. One group: all parameters share the hyper-parameters.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update of every parameter that has a gradient; the others stay as they are.
  virtual void step() = 0;
  /// Drops the gradients of all parameters.
  void zero_grad();

  double lr() const { return lr_; }
  /// @throws Error unless lr >= 0
  void set_lr(double lr);
  const std::vector<Tensor>& parameters() const { return parameters_; }

  /// The learning rate and what the updates have gathered so far, under stable names such as `exp_avg.0`, where 0 is the parameter's
  /// place in the list. The tensors are handles: copy them to keep them.
  virtual NamedTensors state() const = 0;
  /// Takes copies of what state() gave, so that the next step gives the same bits.
  /// @throws Error naming what is missing, unexpected or of the wrong shape or type; then nothing was changed
  virtual void load_state(const NamedTensors& state) = 0;

 protected:
  /// @param name  for errors. @throws Error unless there are parameters, all of them different leaves of type f32 or f64
  Optimizer(std::string name, std::vector<Tensor> parameters, double lr);
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::vector<Tensor> parameters_;
  double lr_ = 0;
};

}  // namespace lora::optim
