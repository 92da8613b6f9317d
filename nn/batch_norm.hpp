#pragma once
// Batch normalisation of images.

#include "nn/module.hpp"

namespace lora::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  ///< share of the newest batch in the running statistics
  bool affine = true;     ///< with weight and bias
};

/// y = (x - mean) / sqrt(var + eps) * weight + bias for each channel of x [N, C, H, W]. In training mode mean and (biased) variance are
/// those of the batch, in evaluation the running ones. forward() moves no running statistics: RunningStatistics does.
/// Parameters weight (ones) and bias (zeros); buffers running_mean (zeros), running_var (ones) and num_batches_tracked (i64).
/// @throws Error from forward() if x is not [N, C, H, W], or in training mode has one value a channel
/// @source Ioffe & Szegedy 2015, arXiv:1502.03167
class BatchNorm2d final : public Module {
 public:
  explicit BatchNorm2d(Index channels, const BatchNormOptions& options = {}, DType dtype = DType::f32);
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  BatchNormOptions options_;
  Tensor weight_, bias_, running_mean_, running_var_, batches_;
};

}  // namespace lora::nn
