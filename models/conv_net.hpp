#pragma once
// Plain convolutional networks: stages of convolutions, then two fully connected layers. The base of Cnn and Vgg.

#include <memory>
#include <string>
#include <vector>

#include "nn/conv2d.hpp"
#include "nn/linear.hpp"

namespace lora::models {

struct ConvNetOptions {
  Index in_channels = 1;
  std::vector<std::vector<Index>> stages;  ///< outputs of each convolution, stage by stage
  Index hidden = 128;                      ///< outputs of the first fully connected layer
  Index classes = 10;
  Size2d image_size = 28;  ///< each stage halves it, rounded down
};

/// In each stage 3 x 3 convolutions (padding 1, bias) with relu, then the largest of each 2 x 2 pixels; at the end fc1 - relu - fc2 on all
/// features. Parameter names count convolutions through: `conv1.weight`, `conv2.weight`, .., `fc1.weight`, `fc2.bias`.
/// @throws Error if a size is not positive or the stages leave nothing of the image
class ConvNet : public nn::Module {
 public:
  /// @param x  [N, in_channels, H, W] with the image size of the options. @return logits [N, classes]
  Tensor forward(const Tensor& x) const final;
  /// As `Vgg(64 | 128 | 256, 256 | 1024, 10)`: stages, then the fully connected layers.
  std::string describe() const final;

 protected:
  ConvNet(std::string name, const ConvNetOptions& options);

 private:
  using Stage = std::vector<std::unique_ptr<nn::Conv2d>>;
  void add_stage(const std::vector<Index>& widths, Index& channels);

  std::string name_;
  std::vector<Stage> stages_;
  nn::Linear fc1_, fc2_;
  Index convolutions_ = 0;
};

}  // namespace lora::models
