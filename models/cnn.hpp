#pragma once
// A small convolutional network, on which methods of adaptation are compared.

#include "models/conv_net.hpp"

namespace lora::models {

struct CnnOptions : ConvNetOptions {
  CnnOptions() {
    stages = {{32}, {64}};
    hidden = 128;
  }
};

/// conv1 - relu - pool - conv2 - relu - pool - fc1 - relu - fc2: 421,642 parameters by default.
class Cnn final : public ConvNet {
 public:
  explicit Cnn(const CnnOptions& options = {}) : ConvNet("Cnn", options) {}
};

}  // namespace lora::models
