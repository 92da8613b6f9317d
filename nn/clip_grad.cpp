#include "nn/clip_grad.hpp"

#include <algorithm>
#include <cmath>

#include "core/autograd.hpp"
#include "core/ops/clip.hpp"
#include "core/ops/convert.hpp"

namespace lora::nn {

namespace {

/// The gradients that there are, each with memory of its own: one that a caller has set may be a repeated view.
std::vector<Tensor> gradients_of(const std::vector<Tensor>& parameters) {
  std::vector<Tensor> grads;
  for (Tensor p : parameters) {
    const Tensor grad = p.grad();
    if (!grad.defined()) {
      continue;
    }
    if (!grad.is_contiguous()) {
      p.set_grad(contiguous(grad));
    }
    grads.push_back(p.grad());
  }
  return grads;
}

double norm_of(const std::vector<Tensor>& grads, double norm_type) {
  const std::vector<double> sums = abs_power_sums(grads, norm_type).to_vector<double>();
  double total = 0;
  for (const double sum : sums) {
    const double largest = sum > total || std::isnan(sum) ? sum : total;
    total = std::isinf(norm_type) ? largest : total + sum;
  }
  return std::isinf(norm_type) ? total : std::pow(total, 1 / norm_type);
}

}  // namespace

double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type, bool error_if_nonfinite) {
  require(max_norm >= 0, "clip_grad_norm_", "max_norm is ", max_norm, "; it must be 0 or more");
  require(norm_type > 0, "clip_grad_norm_", "norm_type is ", norm_type, "; it must be more than 0, or infinite for the largest value");
  const NoGrad off;
  std::vector<Tensor> grads = gradients_of(parameters);
  const double norm = norm_of(grads, norm_type);
  require(!error_if_nonfinite || std::isfinite(norm), "clip_grad_norm_", "the norm of the gradients is ", norm,
          "; lower the learning rate, or pass error_if_nonfinite = false to go on");
  const double factor = max_norm / (norm + 1e-6);
  if (!(factor >= 1)) {
    for (Tensor& grad : grads) {
      mul_(grad, factor);
    }
  }
  return norm;
}

void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value) {
  require(clip_value >= 0, "clip_grad_value_", "clip_value is ", clip_value, "; it must be 0 or more");
  const NoGrad off;
  for (Tensor& grad : gradients_of(parameters)) {
    clamp_(grad, -clip_value, clip_value);
  }
}

}  // namespace lora::nn
