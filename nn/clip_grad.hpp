#pragma once
// Keeping gradients small: by the norm of all of them together, or each value by itself.

#include <vector>

#include "core/tensor.hpp"

namespace lora::nn {

/// Scales all gradients by min(1, max_norm / (norm + 1e-6)), where norm is that of the vector of all gradients:
///   norm = (sum |g|^norm_type)^(1 / norm_type), or the largest |g| for an infinite norm_type
/// taken in double. Gradients are changed in place; parameters without one do not count. Call between backward() and the optimizer's step.
/// @param parameters  on one device. @param max_norm  >= 0, in units of the gradients. @param norm_type  > 0
/// @param error_if_nonfinite  a norm that is infinite or NaN is an error; else an infinite one makes 0 of finite gradients and NaN of
/// infinite ones, and NaN makes all of them NaN
/// @return the norm before, 0 without gradients. @throws Error on other arguments, and for error_if_nonfinite; then nothing was changed
/// @source Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063
double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm, double norm_type = 2.0, bool error_if_nonfinite = false);

/// Brings every value of the gradients into [-clip_value, clip_value], in place; NaN stays.
/// @param clip_value  >= 0. @throws Error otherwise
void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value);

}  // namespace lora::nn
