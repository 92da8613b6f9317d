#pragma once
// Losses.

#include "core/tensor.hpp"

namespace lora {

/// What becomes of the losses of the elements or rows.
enum class Reduction { none, mean, sum };

struct CrossEntropyOptions {
  double label_smoothing = 0.0;  ///< this share of the target distribution is spread evenly over all classes; 0..1
  Index ignore_index = -100;     ///< rows with this target count nowhere and get no gradient
  Reduction reduction = Reduction::mean;
};

/// Cross entropy of a softmax over the classes, in nats. With p = softmax(logits) and s = label_smoothing, a row's loss is
///   -(1 - s) log p[target] - s / C sum_j log p[j],  and 0 where the target is ignore_index.
/// @param logits  [N, C] or [N, C, d1, ..], f32 or f64. @param target  [N] or [N, d1, ..], i64 in 0..C-1 or ignore_index; one on another
/// device is copied to the CPU to be checked, which waits for the device
/// @return the losses in the shape of target, their sum, or their mean over the rows that are not ignored (NaN if there are none)
/// @throws Error naming the place and the value of a target outside the classes
/// @grad logits; saves the log-probabilities. @source smoothing: Szegedy et al. 2016, arXiv:1512.00567
Tensor cross_entropy(const Tensor& logits, const Tensor& target, const CrossEntropyOptions& options = {});

/// Squared error (x - target)^2, its mean or its sum.
/// @param x,target  f32 or f64 of one shape; the mean of nothing is NaN. @return a scalar, or the shape of x. @grad x and target
Tensor mse_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

/// Absolute error |x - target|, its mean or its sum, otherwise as mse_loss. @grad x and target, 0 where they are equal
Tensor l1_loss(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

/// Cross entropy of p = sigmoid(x) with the probability `target`:  -target log p - (1 - target) log(1 - p)
///   = max(x, 0) - x target + log(1 + e^-|x|),  which neither overflows nor loses small losses.
/// @param x,target  f32 or f64 of one shape; the mean of nothing is NaN. @return a scalar, or the shape of x. @grad x and target
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction = Reduction::mean);

}  // namespace lora
