#include "models/resnet.hpp"

#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"

namespace lora::models {

namespace {

Conv2dOptions window(Index stride, Index padding) {
  Conv2dOptions options;
  options.stride = stride;
  options.padding = padding;
  return options;
}

const ResNetOptions& checked(const ResNetOptions& o) {
  require(!o.widths.empty() && o.blocks > 0 && o.classes > 0, "ResNet", "needs stages, blocks and classes, got ", o.widths.size(), ", ",
          o.blocks, " and ", o.classes);
  return o;
}

}  // namespace

ResNetOptions ResNetOptions::resnet18() {
  ResNetOptions options;
  options.widths = {64, 128, 256, 512};
  options.blocks = 2;
  return options;
}

ResidualBlock::ResidualBlock(Index in_channels, Index out_channels, Index stride)
    : conv1_(in_channels, out_channels, 3, window(stride, 1), false),
      bn1_(out_channels),
      conv2_(out_channels, out_channels, 3, window(1, 1), false),
      bn2_(out_channels),
      has_short_(stride != 1 || in_channels != out_channels) {
  child("conv1", conv1_);
  child("bn1", bn1_);
  child("conv2", conv2_);
  child("bn2", bn2_);
  if (has_short_) {
    short_.add<nn::Conv2d>(in_channels, out_channels, 1, window(stride, 0), false);
    short_.add<nn::BatchNorm2d>(out_channels);
    child("short", short_);
  }
}

Tensor ResidualBlock::forward(const Tensor& x) const {
  const Tensor y = bn2_(conv2_(relu(bn1_(conv1_(x)))));
  return relu(y + (has_short_ ? short_(x) : x));
}

std::string ResidualBlock::describe() const {
  return "ResidualBlock(" + std::to_string(conv1_.in_channels()) + ", " + std::to_string(conv1_.out_channels()) + ")";
}

ResNet::ResNet(const ResNetOptions& o)
    : widths_(checked(o).widths),
      block_count_(o.blocks),
      stem_(o.in_channels, widths_.front(), 3, window(1, 1), false),
      bn_(widths_.front()),
      fc_(widths_.back(), o.classes) {
  child("stem", stem_);
  child("bn", bn_);
  child("blocks", blocks_);
  child("fc", fc_);
  Index channels = widths_.front();
  for (std::size_t stage = 0; stage < widths_.size(); ++stage) {
    for (Index i = 0; i < o.blocks; ++i) {
      blocks_.add<ResidualBlock>(channels, widths_[stage], stage > 0 && i == 0 ? 2 : 1);
      channels = widths_[stage];
    }
  }
}

Tensor ResNet::forward(const Tensor& x) const { return fc_(mean(blocks_(relu(bn_(stem_(x)))), {2, 3})); }

std::string ResNet::describe() const {
  std::string text = "ResNet(";
  for (const Index width : widths_) {
    text += std::to_string(width) + ", ";
  }
  return text + std::to_string(block_count_) + " blocks each)";
}

}  // namespace lora::models
