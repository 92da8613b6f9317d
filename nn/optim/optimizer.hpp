#pragma once
// What all optimizers share: groups of parameters with a learning rate each, the loop over them, and their state for checkpoints.

#include <string>
#include <vector>

#include "core/serialize.hpp"
#include "core/tensor.hpp"

namespace lora::optim {

/// Moves parameters along their gradients. Parameters come in groups; the constructor makes group 0, add_param_group() of the optimizer
/// the next. A group has options of its own, and a parameter is in one group only.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update of every parameter that has a gradient; the others stay as they are.
  void step();
  /// Drops the gradients of all parameters.
  void zero_grad();

  std::size_t num_groups() const { return groups_.size(); }
  /// The parameters of all groups, in order of the groups. Parameter i of errors and states is the one at place i here.
  const std::vector<Tensor>& parameters() const { return parameters_; }

  /// @throws Error if there is no such group
  double lr(std::size_t group = 0) const;
  /// @throws Error if there is no such group, or unless lr >= 0
  void set_lr(double lr, std::size_t group = 0);
  /// The rates of all groups.
  std::vector<double> lrs() const;
  /// @throws Error unless there is a rate >= 0 for each group; then none was changed
  void set_lrs(const std::vector<double>& lrs);

  /// The learning rates, `lr` f64[groups], and what the updates have gathered so far, under stable names such as `exp_avg.0`, where 0 is
  /// the parameter's place in parameters(). The tensors are handles: copy them to keep them.
  virtual NamedTensors state() const = 0;
  /// Takes copies of what state() gave, so that the next step gives the same bits. Groups and options must be those of the optimizer that
  /// gave it.
  /// @throws Error naming what is missing, unexpected or of the wrong shape or type; then nothing was changed
  virtual void load_state(const NamedTensors& state) = 0;

 protected:
  /// @param name  for errors
  explicit Optimizer(std::string name) : name_(std::move(name)) {}
  /// @throws Error unless there are parameters, all of them different leaves of type f32 or f64 that are in no group yet, and lr >= 0;
  /// then nothing was changed
  void add_group(const std::vector<Tensor>& parameters, double lr);

  /// Moves parameter i of parameters(), which is of `group`, along `grad`. Called without recording.
  virtual void update(std::size_t i, std::size_t group, const Tensor& grad) = 0;

  const std::string& name() const { return name_; }
  /// The group of a place in parameters().
  std::size_t group_of(std::size_t i) const;
  /// `lr` of a state.
  Tensor lr_state() const;

 private:
  struct Group {
    std::size_t end = 0;  // its parameters end before this place
    double lr = 0;
  };
  void check_lr(double lr) const;
  void check_group(std::size_t group) const;
  void check_parameters(const std::vector<Tensor>& fresh) const;

  std::string name_;
  std::vector<Tensor> parameters_;
  std::vector<Group> groups_;
};

}  // namespace lora::optim
