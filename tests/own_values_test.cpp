#include <catch2/catch.hpp>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/pool.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "lora/lora.hpp"
#include "lora/peft_files.hpp"
#include "nn/batch_norm.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/overlay.hpp"
#include "nn/running_statistics.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

/// A convolution, a normalisation, and two layers behind them.
class Net final : public nn::Module {
 public:
  Net() {
    child("conv", conv_);
    child("bn", bn_);
    child("fc", fc_);
    child("head", head_);
  }
  Tensor forward(const Tensor& x) const override { return head_(tanh(fc_(flatten(bn_(conv_(x)), 1)))); }
  std::string describe() const override { return "Net()"; }

 private:
  nn::Conv2d conv_{1, 2, 3};
  nn::BatchNorm2d bn_{2};
  nn::Linear fc_{8, 5}, head_{5, 3};
};

struct Fixture {
  Net model;
  Tensor x = to(random({4, 1, 4, 4}), DType::f32);
  nn::StateDict before;
  Tensor base;
  Fixture() {
    model.eval();
    base = model(x).detach();
    for (const auto& [name, tensor] : model.state_dict()) {
      before.push_back({name, clone(tensor.detach())});
    }
  }

  Tensor run() const { return model(x).detach(); }
  Tensor value(const std::string& name) const {
    for (const auto& entry : model.state_dict()) {
      if (entry.name == name) {
        return entry.tensor;
      }
    }
    fail("test", "no ", name);
  }
  /// Names of what differs from the base.
  std::vector<std::string> changed() const {
    std::vector<std::string> names;
    const auto now = model.state_dict();
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (!same_bits(now[i].tensor, before[i].tensor)) {
        names.push_back(now[i].name);
      }
    }
    return names;
  }
  /// A step of training, statistics included.
  void step() {
    model.train();
    nn::hold_frozen_statistics(model);
    model.zero_grad();
    nn::RunningStatistics statistics;
    const Tensor y = model(x);
    statistics.apply();
    sum(y * y).backward();
    {
      const NoGrad no_grad;
      for (Tensor tensor : model.trainable_parameters()) {
        tensor.copy_(tensor - 0.1 * tensor.grad());
      }
    }
    model.eval();
  }
};

LoraConfig config_with(TrainedBias bias, std::vector<std::string> modules = {}) {
  LoraConfig config;
  config.r = 2;
  config.target_modules = {"conv", "fc"};
  config.bias = bias;
  config.modules_to_save = std::move(modules);
  return config;
}

using Names = std::vector<std::string>;

struct Row {
  LoraConfig config;
  Names moved;
};

std::vector<Row> rows() {
  return {
      {config_with(TrainedBias::none), {}},
      {config_with(TrainedBias::lora_only), {"conv.bias", "fc.bias"}},
      {config_with(TrainedBias::all), {"conv.bias", "bn.bias", "fc.bias", "head.bias"}},
      {config_with(TrainedBias::none, {"head"}), {"head.weight", "head.bias"}},
      {config_with(TrainedBias::none, {"bn"}), {"bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"}},
      {config_with(TrainedBias::lora_only, {"fc"}), {"conv.bias", "fc.weight", "fc.bias"}},
  };
}

}  // namespace

TEST_CASE("own values: they train, and the base's are back while the adapter does not act", "[lora][peft]") {
  for (const Row& row : rows()) {
    INFO(row.moved.size() << " tensors");
    Fixture f;
    const AttachedAdapter adapter = attach(f.model, row.config);
    CHECK(same_bits(f.run(), f.base));  // fresh
    f.step();
    f.step();
    Names changed = f.changed(), expected = row.moved;
    std::sort(changed.begin(), changed.end());
    std::sort(expected.begin(), expected.end());
    CHECK(changed == expected);
    const Tensor tuned = f.run();
    for (int round = 0; round < 2; ++round) {
      set_adapters_enabled(f.model, false);
      CHECK(f.changed().empty());
      CHECK(same_bits(f.run(), f.base));
      set_adapters_enabled(f.model, true);
      CHECK(same_bits(f.run(), tuned));
      adapter.set_active(false);
      CHECK(f.changed().empty());
      CHECK(f.model.trainable_parameters().empty());
      adapter.set_active(true);
      CHECK(same_bits(f.run(), tuned));
    }
    merge_adapters(f.model);
    CHECK(max_difference(f.run(), tuned) <= 1e-5);  // f32, sums of some ten terms near 1
    unmerge_adapters(f.model);
    CHECK(same_bits(f.run(), tuned));
    adapter.detach();
    CHECK(f.changed().empty());
    CHECK(same_bits(f.run(), f.base));
    CHECK(f.model.overlays().empty());
    CHECK(f.model.trainable_parameters().empty());
  }
}

TEST_CASE("own values: saved and loaded they give the same bits", "[lora][peft]") {
  for (const Row& row : rows()) {
    Fixture f;
    const AttachedAdapter adapter = attach(f.model, row.config);
    f.step();
    const Tensor tuned = f.run();
    const TempFolder folder;
    save_adapter(adapter, folder.path());
    adapter.set_active(false);  // inactive it is saved as well
    const TempFolder inactive;
    save_adapter(adapter, inactive.path());
    adapter.detach();
    for (const auto& path : {folder.path(), inactive.path()}) {
      const AttachedAdapter loaded = load_adapter(f.model, path);
      CHECK(same_bits(f.run(), tuned));
      loaded.detach();
      CHECK(same_bits(f.run(), f.base));
    }
  }
}

TEST_CASE("own values: files have PEFT's keys", "[lora][peft]") {
  Fixture f;
  const TempFolder folder;
  save_adapter(attach(f.model, config_with(TrainedBias::all, {"head"})), folder.path());
  const SafetensorsFile file = load_safetensors(folder / "adapter_model.safetensors");
  Names others;
  for (const auto& entry : file.tensors) {
    if (entry.first.find("lora_") == std::string::npos) {
      others.push_back(entry.first);
    }
  }
  std::sort(others.begin(), others.end());
  CHECK(others == Names{"base_model.model.bn.bias", "base_model.model.conv.base_layer.bias", "base_model.model.fc.base_layer.bias",
                        "base_model.model.head.bias", "base_model.model.head.weight"});
}

TEST_CASE("own values: counts, names and a second adapter", "[lora][peft]") {
  Fixture f;
  const AttachedAdapter first = attach(f.model, config_with(TrainedBias::lora_only), "first");
  const Index low_rank = 2 * (9 + 2) + 2 * (8 + 5);
  CHECK(first.numel() == low_rank + 2 + 5);
  CHECK(count_parameters(f.model).added == low_rank + 2 + 5);
  CHECK(count_parameters(f.model).trainable == low_rank + 2 + 5);
  CHECK(first.named_parameters().back().name == "fc.bias");
  const auto attach_more = [&](const LoraConfig& config) { attach(f.model, config, "second"); };
  CHECK_THAT(error_of([&] { attach_more(config_with(TrainedBias::all)); }), Contains("'first'") && Contains("conv.bias"));
  CHECK_THAT(error_of([&] { attach_more(config_with(TrainedBias::none, {"nothing"})); }), Contains("'nothing'") && Contains("no module"));
  CHECK(f.model.overlays().size() == 1);
  attach_more(config_with(TrainedBias::none, {"head"}));
  CHECK(first.parameters().back().requires_grad());  // attaching freezes the base, not the first adapter's values of it
  CHECK(f.model.overlays().size() == 2);
}

TEST_CASE("own values: a module that is saved whole is not adapted", "[lora][peft]") {
  Fixture f;
  LoraConfig config = config_with(TrainedBias::none, {"fc"});
  config.target_modules = "all";
  const AttachedAdapter adapter = attach(f.model, config);
  REQUIRE(adapter.layers().size() == 2);
  CHECK(adapter.layers()[0].path == "conv");
  CHECK(adapter.layers()[1].path == "head");
}

TEST_CASE("own values: a folder that does not fit leaves the base as it was", "[lora][peft]") {
  Fixture f;
  const TempFolder folder;
  const AttachedAdapter adapter = attach(f.model, config_with(TrainedBias::all));
  f.step();
  save_adapter(adapter, folder.path());
  adapter.detach();
  NamedTensors tensors = load_safetensors(folder / "adapter_model.safetensors").tensors;
  std::erase_if(tensors, [](const auto& entry) { return entry.first == "base_model.model.head.bias"; });
  save_safetensors(folder / "adapter_model.safetensors", tensors);
  CHECK_THAT(error_of([&] { load_adapter(f.model, folder.path()); }), Contains("head.bias"));
  CHECK(f.changed().empty());
  CHECK(f.model.overlays().empty());
}
