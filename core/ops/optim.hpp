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
};

/// Step t of Adam (or AdamW):
///   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  p -= lr m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
/// where first p -= lr weight_decay p (decoupled) or g += weight_decay p. Changes parameter, m and v in place.
/// @param grad,parameter,m,v  f32 or f64 of one shape, contiguous but for grad
/// @source Kingma & Ba 2015, arXiv:1412.6980; Loshchilov & Hutter 2019, arXiv:1711.05101
void adam_step_(const AdamStepOptions& options, const Tensor& grad, Tensor& parameter, Tensor& m, Tensor& v);

}  // namespace lora
