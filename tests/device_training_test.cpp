// Some steps of training on a GPU against the same on the CPU. Without CUDA there is nothing to run on.

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/view.hpp"
#include "lora/lora.hpp"
#include "lora/quantize_weights.hpp"
#include "models/cnn.hpp"
#include "models/mlp.hpp"
#include "models/resnet.hpp"
#include "models/vgg.hpp"
#include "nn/optim/adam.hpp"
#include "nn/optim/sgd.hpp"
#include "nn/trainer.hpp"
#include "tests/support/devices.hpp"
#include "tests/support/op_case.hpp"

using namespace lora;
using namespace lora::test;

namespace {

/// Images of three classes, a brightness each, with noise; the same on each request. They are on the CPU, as a loader's.
struct Images {
  Index count = 3, size = 8;
  Index batches() const { return count; }
  Index samples() const { return 6 * count; }
  nn::Batch batch(Index epoch, Index i) const {
    Generator noise(static_cast<std::uint64_t>(17 + epoch), static_cast<std::uint64_t>(i));
    std::vector<std::int64_t> labels;
    for (Index k = 0; k < 6; ++k) {
      labels.push_back((k + i) % 3);
    }
    const Tensor y = from_values(labels, {6});
    const Tensor levels = reshape(to(y, DType::f32), {6, 1, 1, 1}) - 1.0;
    return {levels + 0.5 * randn({6, 1, size, size}, DType::f32, noise), y};
  }
};

struct Setup {
  std::string name;
  std::function<std::unique_ptr<nn::Module>()> model;
  std::function<void(nn::Module&)> prepare = [](nn::Module&) {};
  bool adam = true;
};

template <class Options>
Options small_net() {
  Options options;
  for (auto& stage : options.stages) {
    for (Index& width : stage) {
      width = 4;
    }
  }
  options.hidden = 12;
  options.classes = 3;
  options.image_size = 8;
  return options;
}

void adapt(nn::Module& model) {
  LoraConfig config;
  config.r = 2;
  config.lora_dropout = 0.1;
  config.target_modules = ".*";
  Generator generator(3);
  attach(model, config, "default", generator);
}

void adapt_4_bits(nn::Module& model) {
  quantize_weights(model, {QuantType::nf4, 32, true, ".*", {}});
  adapt(model);
}

const std::vector<Setup>& setups() {
  static const std::vector<Setup> all{
      {"Mlp",
       [] {
         return std::make_unique<models::Mlp>(models::MlpOptions{64, 12, 3});
       }},
      {"Mlp in 4 bits with LoRA",
       [] {
         return std::make_unique<models::Mlp>(models::MlpOptions{64, 12, 3});
       },
       adapt_4_bits},
      {"Cnn", [] { return std::make_unique<models::Cnn>(small_net<models::CnnOptions>()); }, [](nn::Module&) {}, false},
      {"ResNet",
       [] {
         return std::make_unique<models::ResNet>(models::ResNetOptions{1, {4, 6}, 1, 3});
       },
       [](nn::Module&) {}, false},
      {"Vgg with LoRA", [] { return std::make_unique<models::Vgg>(small_net<models::VggOptions>()); }, adapt},
  };
  return all;
}

struct Trained {
  nn::TrainResult result;
  std::vector<Tensor> parameters;
};

Trained trained(const Setup& setup, const Device& device) {
  manual_seed(11);
  const auto model = setup.model();
  setup.prepare(*model);
  model->to(device);
  std::unique_ptr<optim::Optimizer> optimizer;
  if (setup.adam) {
    optimizer = std::make_unique<optim::AdamW>(model->trainable_parameters(), optim::AdamWOptions{0.01});
  } else {
    optimizer = std::make_unique<optim::SGD>(model->trainable_parameters(), optim::SGDOptions{0.05, 0.9});
  }
  nn::TrainOptions options;
  options.epochs = 2;
  options.classes = 3;
  options.restore_best = false;
  options.clip_grad_norm = 1.0;
  nn::Trainer trainer(*model, *optimizer, nullptr, options);
  const Images train{3}, validation{2};
  return {trainer.fit(train, validation), model->trainable_parameters()};
}

}  // namespace

TEST_CASE("device: training on a GPU is that on the CPU", "[device][cuda]") {
  for (const Device& device : other_devices()) {
    for (const Setup& setup : setups()) {
      INFO(setup.name);
      const Trained here = trained(setup, kCpu), there = trained(setup, device);
      REQUIRE(here.result.history.size() == there.result.history.size());
      for (std::size_t i = 0; i < here.result.history.size(); ++i) {
        const nn::EpochRecord &want = here.result.history[i], &found = there.result.history[i];
        // f32 in another order: 1e-6 of a step, and Adam's first steps divide by gradients of any size
        CHECK(std::abs(found.loss - want.loss) <= 1e-4 * std::abs(want.loss));
        CHECK(std::abs(found.val_loss - want.val_loss) <= 1e-4 * std::abs(want.val_loss));
        CHECK(found.val_accuracy == want.val_accuracy);
      }
      for (std::size_t i = 0; i < here.parameters.size(); ++i) {
        CHECK(there.parameters[i].device() == device);
        CHECK(relative_distance(there.parameters[i], here.parameters[i]) <= 1e-3);
      }
    }
  }
}
