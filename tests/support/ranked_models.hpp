#pragma once
// Small classifiers of Linear and Conv2d layers whose ranks tests allocate.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/ops/random.hpp"
#include "nn/conv2d.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"

namespace lora::test {

/// A model of layers `0` and `2`, and data for it: 12 samples of 3 classes.
struct RankedModel {
  std::string name;
  std::function<std::unique_ptr<nn::Module>()> make;
  Shape input;

  Tensor x() const {
    Generator generator(17, 1);
    return randn(input, DType::f32, generator);
  }
  static Tensor y() { return from_values(std::vector<std::int64_t>{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2}, {12}); }
};

/// Linear, convolutions, and grouped convolutions with 2 groups.
inline std::vector<RankedModel> ranked_models() {
  const auto linear = [] {
    auto model = std::make_unique<nn::Sequential>();
    model->add<nn::Linear>(5, 8);
    model->add<nn::ReLU>();
    model->add<nn::Linear>(8, 3);
    return model;
  };
  const auto convolutions = [](Index groups) {
    auto model = std::make_unique<nn::Sequential>();
    model->add<nn::Conv2d>(2, 8, 3, Conv2dOptions{2, 1, 1, groups});
    model->add<nn::ReLU>();
    model->add<nn::Conv2d>(8, 6, 3, Conv2dOptions{1, 0, 1, groups});
    model->add<nn::Flatten>();
    model->add<nn::Linear>(6, 3);
    return model;
  };
  return {{"Linear", linear, {12, 5}},
          {"Conv2d", [convolutions] { return convolutions(1); }, {12, 2, 5, 6}},
          {"grouped Conv2d", [convolutions] { return convolutions(2); }, {12, 2, 5, 6}}};
}

}  // namespace lora::test
