#pragma once
// Adam and AdamW.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "nn/optim/optimizer.hpp"

namespace lora::optim {

/// PyTorch's names and defaults.
struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;   ///< divide by the largest v so far
  bool maximize = false;  ///< go up the gradient
};

struct AdamWOptions {
  double lr = 1e-3;
  std::array<double, 2> betas{0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0.01;
  bool amsgrad = false;
  bool maximize = false;
};

/// Adam: step t of a parameter p with gradient g (-g if `maximize`) is
///   g += weight_decay * p
///   m  = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
///   p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
/// where t counts the steps in which p had a gradient. m and v have the parameter's type. With `amsgrad` the last line has the largest v
/// of all steps, element by element.
/// @source Kingma & Ba 2015, arXiv:1412.6980; Reddi et al. 2018, arXiv:1904.09237 (amsgrad)
class Adam : public Optimizer {
 public:
  /// @throws Error unless lr, eps, weight_decay >= 0 and the betas are in [0,1), and as Optimizer says of the parameters
  explicit Adam(const std::vector<Tensor>& parameters, const AdamOptions& options = {});

  /// Another group, with all of its own options. @throws Error as the constructor, and if a parameter is in a group already
  void add_param_group(const std::vector<Tensor>& parameters, const AdamOptions& options);

  /// `lr`, and for each parameter i that was moved: `exp_avg.i` (m), `exp_avg_sq.i` (v), `step.i` (t) and, with amsgrad,
  /// `max_exp_avg_sq.i`.
  NamedTensors state() const override;
  void load_state(const NamedTensors& state) override;

 protected:
  Adam(std::string name, const std::vector<Tensor>& parameters, const AdamOptions& options, bool decoupled);

 private:
  struct Moments {
    std::int64_t steps = 0;
    Tensor m, v, max_v;  // max_v with amsgrad only
  };

  void update(std::size_t i, std::size_t group, const Tensor& grad) override;

  bool decoupled_;
  std::vector<AdamOptions> options_;  // one a group; the rate of now is lr(group)
  std::vector<Moments> moments_;      // one a parameter
};

/// Adam with the decay apart from the gradient: p *= 1 - lr * weight_decay comes first, and g is left alone.
/// @source Loshchilov & Hutter 2019, arXiv:1711.05101
class AdamW final : public Adam {
 public:
  explicit AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options = {});

  /// As Adam's, with AdamW's default of weight_decay.
  void add_param_group(const std::vector<Tensor>& parameters, const AdamWOptions& options);
};

}  // namespace lora::optim
