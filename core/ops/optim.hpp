#pragma once
// Optimizer steps as single passes over a parameter.

#include <cstdint>

#include "core/tensor.hpp"

namespace lora {

struct AdamStepOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;
  std::int64_t step = 1;   ///< the number of this step, from 1
  bool decoupled = false;  ///< weight decay of AdamW instead of an L2 term in the gradient
  bool maximize = false;   ///< g = -g comes first
};

/// Step t of Adam (or AdamW):
///   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  p -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
/// where first p -= lr weight_decay p (decoupled) or g += weight_decay p. Changes parameter, m and v in place, and max_v if it is given:
/// max_v = max(max_v, v), which then stands in place of v in p's update (AMSGrad).
/// @param grad,parameter,m,v,max_v  f32 or f64 of one shape, contiguous but for grad. @throws Error otherwise
/// @source Kingma & Ba 2015, arXiv:1412.6980; Loshchilov & Hutter 2019, arXiv:1711.05101; Reddi et al. 2018, arXiv:1904.09237
void adam_step_(const AdamStepOptions& options, const Tensor& grad, Tensor& parameter, Tensor& m, Tensor& v, Tensor* max_v = nullptr);

struct SgdStepOptions {
  double lr = 1e-3;
  double momentum = 0.0;
  double dampening = 0.0;
  double weight_decay = 0.0;
  bool nesterov = false;
  bool maximize = false;  ///< g = -g comes first
};

/// A step of SGD: g += weight_decay p; with a momentum buffer b
///   b = momentum b + (1 - dampening) g,  g = g + momentum b (nesterov) or b
/// and p -= lr g. Changes parameter and momentum_buffer in place; null is no momentum.
/// @param grad,parameter,momentum_buffer  f32 or f64 of one shape, contiguous but for grad. @throws Error otherwise
/// @source Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning"
void sgd_step_(const SgdStepOptions& options, const Tensor& grad, Tensor& parameter, Tensor* momentum_buffer = nullptr);

}  // namespace lora
