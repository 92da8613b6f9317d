#pragma once
// The models that commands know by name.

#include <memory>
#include <string>
#include <vector>

#include "nn/module.hpp"

namespace mnist_lora {

/// `mlp`, `cnn`, `vgg`, ..
std::vector<std::string> model_names();

/// A new model with 10 classes for 28 x 28 images. @throws lora::Error listing the known names
std::unique_ptr<lora::nn::Module> make_model(const std::string& name);

/// Highest learning rate of the one-cycle schedule for the model from scratch. @throws lora::Error listing the known names
double model_lr(const std::string& name);

}  // namespace mnist_lora
