#include "models/conv_net.hpp"

#include "core/ops/pointwise.hpp"
#include "core/ops/pool.hpp"
#include "core/ops/view.hpp"

namespace lora::models {

namespace {

constexpr const char* kOp = "ConvNet";

Index halved(Index size, std::size_t times) {
  for (std::size_t i = 0; i < times; ++i) {
    size /= 2;
  }
  return size;
}

/// What the stages leave of an image.
Index features(const ConvNetOptions& o) {
  require(o.in_channels > 0 && o.hidden > 0 && o.classes > 0, kOp, "sizes must be positive, got in_channels ", o.in_channels, ", hidden ",
          o.hidden, ", classes ", o.classes);
  const Index h = halved(o.image_size.h, o.stages.size()), w = halved(o.image_size.w, o.stages.size());
  require(h > 0 && w > 0, kOp, o.stages.size(), " stages leave nothing of images of ", o.image_size, "; take fewer, or larger images");
  Index channels = o.in_channels;
  for (const std::vector<Index>& stage : o.stages) {
    channels = stage.empty() ? channels : stage.back();
  }
  require(channels > 0, kOp, "a convolution has ", channels, " outputs; it must have 1 or more");
  return channels * h * w;
}

}  // namespace

ConvNet::ConvNet(std::string name, const ConvNetOptions& options)
    : name_(std::move(name)), fc1_(features(options), options.hidden), fc2_(options.hidden, options.classes) {
  Index channels = options.in_channels;
  for (const std::vector<Index>& widths : options.stages) {
    add_stage(widths, channels);
  }
  child("fc1", fc1_);
  child("fc2", fc2_);
}

void ConvNet::add_stage(const std::vector<Index>& widths, Index& channels) {
  Stage& stage = stages_.emplace_back();
  for (const Index width : widths) {
    Conv2dOptions same_size;
    same_size.padding = 1;
    stage.push_back(std::make_unique<nn::Conv2d>(channels, width, 3, same_size));
    child("conv" + std::to_string(++convolutions_), *stage.back());
    channels = width;
  }
}

Tensor ConvNet::forward(const Tensor& x) const {
  Tensor y = x;
  for (const Stage& stage : stages_) {
    for (const auto& conv : stage) {
      y = relu((*conv)(y));
    }
    y = max_pool2d(y, 2);
  }
  return fc2_(relu(fc1_(flatten(y, 1))));
}

std::string ConvNet::describe() const {
  std::string text = name_ + '(';
  for (const Stage& stage : stages_) {
    for (std::size_t i = 0; i < stage.size(); ++i) {
      text += (i == 0 ? "" : ", ") + std::to_string(stage[i]->out_channels());
    }
    text += " | ";
  }
  return text + std::to_string(fc1_.out_features()) + ", " + std::to_string(fc2_.out_features()) + ')';
}

}  // namespace lora::models
