#pragma once
// Small classifiers of Linear and Conv2d layers whose ranks tests allocate, and their training.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/ops/loss.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "lora/attach.hpp"
#include "nn/conv2d.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"
#include "nn/optim/adam.hpp"
#include "nn/training_term.hpp"

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

/// An adapter in training on one of these models.
struct RankedTraining {
  std::unique_ptr<nn::Module> model;
  AttachedAdapter adapter;
  std::unique_ptr<nn::TrainingTerm> term;
  Tensor x, y;

  template <class Config>
  RankedTraining(const RankedModel& row, const Config& config)
      : model(row.make()), adapter(attach(*model, config)), term(adapter.method().training(adapter)), x(row.x()), y(row.y()) {}

  /// @param after  called after each step with its number
  void run(
      Index steps, const std::function<void(Index)>& after = [](Index) {}) const {
    optim::AdamW optimizer(model->trainable_parameters(), {.lr = 0.02});
    for (Index step = 0; step < steps; ++step) {
      optimizer.zero_grad();
      const Tensor loss = cross_entropy((*model)(x), y), more = term->loss();
      (more.defined() ? loss + more : loss).backward();
      optimizer.step();
      term->after_step();
      after(step);
    }
  }
  Tensor logits() const { return (*model)(x).detach(); }
};

}  // namespace lora::test
