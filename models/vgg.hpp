#pragma once
// A simplified VGG, the base that is tuned on single digits.

#include "models/conv_net.hpp"

namespace lora::models {

struct VggOptions : ConvNetOptions {
  VggOptions() {
    stages = {{64}, {128}, {256, 256}};
    hidden = 1024;
  }
};

/// Four convolutions in three stages, then fc1 - relu - fc2: 3,330,314 parameters by default.
/// @source the idea: Simonyan & Zisserman 2014, arXiv:1409.1556
class Vgg final : public ConvNet {
 public:
  explicit Vgg(const VggOptions& options = {}) : ConvNet("Vgg", options) {}
};

}  // namespace lora::models
