#include "nn/batch_norm.hpp"

#include "core/ops/norm.hpp"
#include "nn/running_statistics.hpp"

namespace lora::nn {

BatchNorm2d::BatchNorm2d(Index channels, const BatchNormOptions& options, DType dtype) : options_(options) {
  require(channels > 0, "BatchNorm2d", "the number of channels is ", channels, "; it must be 1 or more");
  require(options.eps >= 0.0, "BatchNorm2d", "eps is ", options.eps, "; it must be 0 or more");
  require(options.momentum >= 0.0 && options.momentum <= 1.0, "BatchNorm2d", "momentum is ", options.momentum, "; it must be in [0, 1]");
  if (options.affine) {
    weight_ = param("weight", ones({channels}, dtype));
    bias_ = param("bias", zeros({channels}, dtype));
  }
  running_mean_ = buffer("running_mean", zeros({channels}, dtype));
  running_var_ = buffer("running_var", ones({channels}, dtype));
  batches_ = buffer("num_batches_tracked", zeros({}, DType::i64));
}

Tensor BatchNorm2d::forward(const Tensor& x) const {
  require(x.ndim() == 4 && x.size(1) == running_mean_.size(0) && x.dtype() == running_mean_.dtype(), "BatchNorm2d", "needs x ",
          running_mean_.dtype(), "[N,", running_mean_.size(0), ",H,W], got ", x);
  const BatchStatistics running{running_mean_, running_var_};
  if (!training()) {
    return batch_norm(x, running, weight_, bias_, options_.eps);
  }
  const BatchNormResult result = batch_norm_training(x, weight_, bias_, options_.eps);
  RunningStatistics::report({running, result.statistics, batches_, options_.momentum});
  return result.y;
}

std::string BatchNorm2d::describe() const {
  return "BatchNorm2d(" + std::to_string(running_mean_.size(0)) + (options_.affine ? ")" : ", affine=false)");
}

}  // namespace lora::nn
