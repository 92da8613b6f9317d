// Autocast around layers, adapters and trainings: what is in bf16 there, and what must not be.

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>

#include "core/autocast.hpp"
#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/random.hpp"
#include "core/ops/view.hpp"
#include "core/ranges.hpp"
#include "lora/adalora.hpp"
#include "lora/dynamic_lora.hpp"
#include "lora/lora.hpp"
#include "nn/optim/adam.hpp"
#include "tests/support/bf16_products.hpp"
#include "tests/support/devices.hpp"
#include "tests/support/ranked_models.hpp"

using namespace lora;
using namespace lora::test;

namespace {

LoraConfig lora_config(bool dora) {
  LoraConfig config;
  config.r = 2;
  config.lora_alpha = 3.0;
  config.use_dora = dora;
  config.target_modules = ".*";
  return config;
}

/// Fresh adapters are silent, and their scores 0.
void disturb(const AttachedAdapter& adapter) {
  const NoGrad no_grad;
  for (Tensor& parameter : adapter.parameters()) {
    parameter.copy_(parameter + to(0.3 * randn(parameter.shape()), parameter.device()));
  }
}

/// A model with an adapter that does something.
struct Adapted {
  std::unique_ptr<nn::Module> model;
  AttachedAdapter adapter;

  Adapted(const RankedModel& row, bool dora, const Device& device = kCpu)
      : model(made(row, device)), adapter(attach(*model, lora_config(dora))) {
    disturb(adapter);
  }

  static std::unique_ptr<nn::Module> made(const RankedModel& row, const Device& device) {
    manual_seed(4);
    auto model = row.make();
    model->to(device);
    return model;
  }
};

Tensors weights_of(const nn::Module& model) {
  Tensors copies;
  for (const auto& [name, tensor] : model.state_dict()) {
    copies.push_back(clone(tensor.detach()));
  }
  return copies;
}

bool same(const Tensors& a, const Tensors& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Tensor& x, const Tensor& y) { return same_bits(x, y); });
}

bool in_bf16(const Tensor& x) {
  const std::vector<double> values = to(x, DType::f64).to_vector<double>();
  return std::all_of(values.begin(), values.end(), [](double v) { return v == 0 || v == nearest_bf16(v); });
}

}  // namespace

TEST_CASE("autocast: adapters are computed in bf16; their gradients and weights are f32", "[autocast][cuda]") {
  for (const Device& device : devices()) {
    for (const RankedModel& row : ranked_models()) {
      for (const bool dora : {false, true}) {
        INFO(row.name << (dora ? " with DoRA on " : " on ") << device);
        const Adapted a(row, dora, device);
        const Tensor x = to(row.x(), device), y = to(row.y(), device);
        const Tensor plain = (*a.model)(x).detach();
        const Autocast scope(DType::bf16);
        const Tensor logits = (*a.model)(x);
        CHECK(in_bf16(logits));
        CHECK_FALSE(in_bf16(plain));
        CHECK(relative_distance(logits, plain) <= 0.03);  // three layers, some roundings of 2^-9 each
        cross_entropy(logits, y).backward();
        for (const Tensor& parameter : a.adapter.parameters()) {
          CHECK(parameter.dtype() == DType::f32);
          REQUIRE(parameter.grad().defined());
          CHECK(parameter.grad().dtype() == DType::f32);
        }
      }
    }
  }
}

TEST_CASE("autocast: merged weights are exact, DoRA's norms included", "[autocast][cuda]") {
  for (const Device& device : devices()) {
    for (const RankedModel& row : ranked_models()) {
      for (const bool dora : {false, true}) {
        INFO(row.name << (dora ? " with DoRA on " : " on ") << device);
        const Adapted plain(row, dora, device), half(row, dora, device);
        merge_adapters(*plain.model);
        {
          const Autocast scope(DType::bf16);
          merge_adapters(*half.model);
        }
        CHECK(same(weights_of(*half.model), weights_of(*plain.model)));
      }
    }
  }
}

TEST_CASE("autocast: DoRA begins with the exact norms, and with the base", "[autocast]") {
  for (const RankedModel& row : ranked_models()) {
    INFO(row.name);
    const auto plain = Adapted::made(row, kCpu), half = Adapted::made(row, kCpu);
    const AttachedAdapter exact = attach(*plain, lora_config(true));
    const Autocast scope(DType::bf16);
    const Tensor base = (*half)(row.x()).detach();
    const AttachedAdapter adapter = attach(*half, lora_config(true));
    for (std::size_t i = 2; i < exact.parameters().size(); i += 3) {  // magnitudes
      CHECK(same_bits(adapter.parameters()[i], exact.parameters()[i]));
    }
    CHECK(same_bits((*half)(row.x()).detach(), base));
  }
}

TEST_CASE("autocast: DoRA divides by the exact norms in the forward pass", "[autocast]") {
  manual_seed(4);
  nn::Linear layer(6, 5, false);
  const AttachedAdapter adapter = attach(layer, lora_config(true));
  disturb(adapter);
  {  // what the first input gives is a number of bf16, and the adapter does not see it
    const NoGrad no_grad;
    narrow(layer.weight().detach(), 1, 0, 1).fill_(0.5);
    narrow(adapter.parameters()[0].detach(), 1, 0, 1).fill_(0.0);
  }
  const Tensor x = to(eye(6), DType::f32);
  // The gradient of a magnitude is then 0.5 by the norm.
  const auto slope = [&](DType dtype) {
    Tensor magnitude = adapter.parameters()[2];
    magnitude.set_grad({});
    const Autocast scope(dtype);
    layer(narrow(x, 0, 0, 1)).backward(ones({1, 5}));
    return magnitude.grad();
  };
  const Tensor exact = slope(DType::f32);
  CHECK_FALSE(in_bf16(exact));
  CHECK(same_bits(slope(DType::bf16), exact));
}

TEST_CASE("autocast: terms and scores of adapters with ranks are exact", "[autocast]") {
  AdaLoraConfig adalora;
  adalora.init_r = 4;
  adalora.target_r = 2;
  adalora.total_step = 8;
  adalora.target_modules = ".*";
  DynamicLoraConfig dynamic;
  dynamic.start_r = 4;
  dynamic.r = 2;
  dynamic.total_step = 8;
  dynamic.target_modules = ".*";
  const auto check = [](const auto& config) {
    for (const RankedModel& row : ranked_models()) {
      INFO(row.name);
      manual_seed(4);
      const RankedTraining plain(row, config);
      disturb(plain.adapter);
      manual_seed(4);
      const RankedTraining half(row, config);
      disturb(half.adapter);
      plain.term->after_step();
      const Tensor loss = plain.term->loss();
      const Autocast scope(DType::bf16);
      half.term->after_step();
      CHECK(same_bits(half.term->loss().detach(), loss.detach()));
      const NamedTensors want = plain.term->state(), found = half.term->state();
      REQUIRE(found.size() == want.size());
      for (std::size_t i = 0; i < want.size(); ++i) {
        CHECK(same_bits(found[i].second, want[i].second));
      }
    }
  };
  check(adalora);
  check(dynamic);
}

namespace {

struct Losses {
  double first, last;
  bool half_weights;  // all of them are numbers of bf16
};

Losses train(const RankedModel& row, const Device& device, DType dtype) {
  const auto model = Adapted::made(row, device);
  const Tensor x = to(row.x(), device), y = to(row.y(), device);
  optim::AdamW optimizer(model->trainable_parameters(), {.lr = 0.02});
  const Autocast scope(dtype);
  Losses losses{};
  for (int step = 0; step < 12; ++step) {
    optimizer.zero_grad();
    const Tensor loss = cross_entropy((*model)(x), y);
    loss.backward();
    optimizer.step();
    losses.last = loss.item<double>();
    losses.first = step == 0 ? losses.last : losses.first;
  }
  const Tensors weights = weights_of(*model);
  losses.half_weights = std::all_of(weights.begin(), weights.end(), in_bf16);
  return losses;
}

}  // namespace

TEST_CASE("autocast: a training in bf16 comes close to that in f32, on master weights of f32", "[autocast][cuda]") {
  for (const Device& device : devices()) {
    for (const RankedModel& row : ranked_models()) {
      INFO(row.name << " on " << device);
      const Losses plain = train(row, device, DType::f32), half = train(row, device, DType::bf16);
      INFO(plain.first << " to " << plain.last << ", in bf16 " << half.first << " to " << half.last);
      CHECK(half.last != plain.last);
      CHECK(plain.last <= 0.7 * plain.first);
      // 12 steps with gradients that are off by some thousandths, either way
      CHECK(std::abs(half.last - plain.last) <= 0.01 * (plain.first - plain.last));
      CHECK_FALSE(half.half_weights);
    }
  }
}
