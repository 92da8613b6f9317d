#pragma once
// Normalisation to mean 0 and variance 1: over a batch for each channel, or over the trailing axes of each sample.

#include "core/tensor.hpp"

namespace lora {

/// Statistics of one batch, [C] each, outside of the graph.
struct BatchStatistics {
  Tensor mean;
  Tensor var;  ///< unbiased, as running statistics want it: the sum of squared distances over n - 1
};

struct BatchNormResult {
  Tensor y;
  BatchStatistics statistics;
};

/// y = (x - mean) / sqrt(var + eps) * weight + bias for each channel, with given mean and var: batch normalisation in evaluation.
/// @param x         [N, C, ..], f32 or f64; fastest where channels lie innermost in memory
/// @param mean,var  [C], constants: they must not require a gradient
/// @param weight,bias  [C], or undefined for 1 and 0. @param eps  added to the variance, so in units of x^2; 0 or more
/// @return [N, C, ..], channels-last. @throws Error if shapes or dtypes do not fit
/// @grad x, weight and bias; saves weight, mean, var, and x where weight or bias takes part
/// @source Ioffe & Szegedy 2015, arXiv:1502.03167
Tensor batch_norm(const Tensor& x, const BatchStatistics& constants, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);

/// The same with mean and (biased) variance of x itself: batch normalisation in training. Changes nothing: who keeps running statistics
/// moves them with move_running_statistics().
/// @throws Error also if a channel has fewer than two values
/// @grad x (also by way of its mean and variance), weight and bias; saves x, weight, mean and variance
BatchNormResult batch_norm_training(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);

/// running = (1 - momentum) running + momentum batch, in place, for mean and var. @param momentum  in [0, 1]
void move_running_statistics(BatchStatistics running, const BatchStatistics& batch, double momentum);

/// y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and biased variance over the last axes of each sample.
/// @param x  [.., normalized_shape], f32 or f64. @param normalized_shape  at least one axis
/// @param weight,bias  of shape normalized_shape, or undefined for 1 and 0. @param eps  as for batch_norm()
/// @return the shape of x, row-major. @throws Error if shapes or dtypes do not fit
/// @grad x, weight and bias; saves x, weight, mean and 1/sqrt(var + eps)
/// @source Ba, Kiros & Hinton 2016, arXiv:1607.06450
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {}, const Tensor& bias = {}, double eps = 1e-5);

}  // namespace lora
