#pragma once
// The multi-layer perceptron of the digit-split experiment.

#include <string>

#include "nn/linear.hpp"

namespace lora::models {

struct MlpOptions {
  Index inputs = 28 * 28;
  Index hidden = 64;
  Index classes = 10;
};

/// fc1 - relu - fc2 - relu - fc3 on flattened images: 784-64-64-10 with 55,050 parameters by default. Parameter names are `fc1.weight`, ..
class Mlp final : public nn::Module {
 public:
  explicit Mlp(const MlpOptions& options = {});
  /// @param x  [N, ..] with `inputs` elements a row. @return logits [N, classes]
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  nn::Linear fc1_, fc2_, fc3_;
};

}  // namespace lora::models
