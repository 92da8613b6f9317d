#pragma once
// Residual networks for small images.

#include <string>
#include <vector>

#include "nn/batch_norm.hpp"
#include "nn/conv2d.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"

namespace lora::models {

struct ResNetOptions {
  Index in_channels = 1;
  std::vector<Index> widths{16, 32, 64};  ///< channels of each stage; every stage but the first halves the image, rounded up
  Index blocks = 3;                       ///< in each stage
  Index classes = 10;

  /// 272,186 parameters, the default: He et al.'s network for CIFAR.
  static ResNetOptions resnet20() { return {}; }
  /// Four stages of two blocks, 64 to 512 channels: 11,172,810 parameters.
  static ResNetOptions resnet18();
};

/// y = relu(bn2(conv2(relu(bn1(conv1(x))))) + short(x)). The shortcut is x itself, or where size or channels change a 1 x 1 convolution
/// with batch normalisation. Convolutions have no bias.
class ResidualBlock final : public nn::Module {
 public:
  ResidualBlock(Index in_channels, Index out_channels, Index stride);
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm2d bn1_;
  nn::Conv2d conv2_;
  nn::BatchNorm2d bn2_;
  nn::Sequential short_;
  bool has_short_;
};

/// stem - bn - relu - blocks - mean over the pixels - fc. Parameter names: `stem.weight`, `bn.weight`, `blocks.0.conv1.weight`,
/// `blocks.3.short.0.weight`, .., `fc.bias`; buffers as `blocks.0.bn1.running_mean`.
/// @source He et al. 2015, arXiv:1512.03385
class ResNet final : public nn::Module {
 public:
  /// @throws Error if a size is not positive
  explicit ResNet(const ResNetOptions& options = {});
  /// @param x  [N, in_channels, H, W] of any size. @return logits [N, classes]
  Tensor forward(const Tensor& x) const override;
  /// As `ResNet(16, 32, 64, 3 blocks each)`.
  std::string describe() const override;

 private:
  std::vector<Index> widths_;
  Index block_count_;
  nn::Conv2d stem_;
  nn::BatchNorm2d bn_;
  nn::Sequential blocks_;
  nn::Linear fc_;
};

}  // namespace lora::models
