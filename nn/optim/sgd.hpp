#pragma once
// Stochastic gradient descent with momentum.

#include <vector>

#include "nn/optim/optimizer.hpp"

namespace lora::optim {

/// PyTorch's names and defaults.
struct SGDOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;  ///< share of the gradient that the momentum does not take up
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;  ///< go up the gradient
};

/// A step of a parameter p with gradient g (-g if `maximize`) is
///   g += weight_decay * p
///   b  = momentum b + (1 - dampening) g     (b = g in the first step; only with momentum)
///   p -= lr * b                             (g + momentum b with nesterov; g without momentum)
/// @source Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"
class SGD final : public Optimizer {
 public:
  /// @throws Error unless lr, momentum, weight_decay >= 0 and dampening is finite; if nesterov without momentum or with dampening; and
  /// as Optimizer says of the parameters
  explicit SGD(const std::vector<Tensor>& parameters, const SGDOptions& options = {});

  /// Another group, with all of its own options. @throws Error as the constructor, and if a parameter is in a group already
  void add_param_group(const std::vector<Tensor>& parameters, const SGDOptions& options);

  /// `lr`, and `momentum_buffer.i` (b) for each parameter i that was moved with momentum.
  NamedTensors state() const override;
  void load_state(const NamedTensors& state) override;

 private:
  void update(std::size_t i, std::size_t group, const Tensor& grad) override;

  std::vector<SGDOptions> options_;  // one a group; the rate of now is lr(group)
  std::vector<Tensor> buffers_;      // one a parameter, undefined before the first step and without momentum
};

}  // namespace lora::optim
