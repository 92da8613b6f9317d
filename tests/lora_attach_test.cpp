#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/view.hpp"
#include "lora/lora.hpp"
#include "lora/peft_files.hpp"
#include "models/mlp.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

struct Small {
  models::Mlp model{models::MlpOptions{6, 5, 4}};

  nn::AdaptableLayer& layer(const std::string& path) {
    for (const auto& [name, found] : adaptable_layers(model)) {
      if (name == path) {
        return *found;
      }
    }
    fail("test", "no layer ", path);
  }
};

LoraConfig config_for(TargetModules targets, Index r = 2) {
  LoraConfig config;
  config.r = r;
  config.target_modules = std::move(targets);
  return config;
}

void fill(const AttachedAdapter& adapter, double value) {
  const NoGrad no_grad;
  for (Tensor& parameter : adapter.parameters()) {
    parameter.fill_(value);
  }
}

LoraConfig changed(void (*change)(LoraConfig&)) {
  LoraConfig config;
  change(config);
  return config;
}

}  // namespace

TEST_CASE("lora: scaling is alpha / r, or alpha / sqrt(r) where rank-stabilised", "[lora]") {
  LoraConfig config;
  config.r = 16;
  config.lora_alpha = 8;
  CHECK(config.scaling() == 0.5);
  config.use_rslora = true;
  CHECK(config.scaling() == 2.0);
}

TEST_CASE("lora: the output is W x + b + s B A dropout(x)", "[lora]") {
  for (const bool rslora : {false, true}) {
    nn::Linear layer(6, 5, true, DType::f64);
    LoraConfig config;
    config.r = 4;
    config.lora_alpha = 3;
    config.lora_dropout = 0.3;
    config.use_rslora = rslora;
    const AttachedAdapter adapter = attach(layer, config);
    CHECK(adapter.named_parameters()[0].name == "lora_A");
    CHECK(adapter.named_parameters()[1].name == "lora_B");
    const Tensor a = adapter.parameters()[0], b = adapter.parameters()[1];
    CHECK(a.shape() == Shape{4, 6});
    CHECK(b.shape() == Shape{5, 4});
    CHECK(a.dtype() == DType::f64);
    CHECK(max_abs(b) == 0.0);
    CHECK(max_abs(a) <= 1 / std::sqrt(6.0));
    {
      const NoGrad no_grad;
      b.detach().copy_(random({5, 4}));
    }
    const Tensor x = random({3, 6});
    manual_seed(2);
    const Tensor found = layer(x);
    manual_seed(2);
    const Tensor seen = dropout(x, 0.3);
    const double scale = rslora ? 1.5 : 0.75;
    const Tensor expected = linear(x, layer.weight(), layer.bias()) + scale * matmul(matmul(seen, t(a)), t(b));
    CHECK(max_difference(found, expected) <= 1e-14);  // another order of some ten roundings of numbers near 1
  }
}

TEST_CASE("lora: gaussian lora_A has standard deviation 1/r", "[lora]") {
  nn::Linear layer(2000, 3);
  LoraConfig config = config_for("all-linear", 10);
  config.init_lora_weights = LoraInit::gaussian;
  const auto a = attach(layer, config).parameters()[0].to_vector<double>();
  double square = 0;
  for (const double value : a) {
    square += value * value / static_cast<double>(a.size());
  }
  CHECK(std::abs(std::sqrt(square) - 0.1) <= 5 * 0.1 / std::sqrt(2.0 * static_cast<double>(a.size())));  // 5 standard errors
}

TEST_CASE("lora: attaching draws from the given generator only", "[lora]") {
  const auto drawn = [](std::uint64_t seed) {
    manual_seed(1);
    Small small;
    const PhiloxState before = default_generator().state();
    Generator generator(seed);
    const AttachedAdapter adapter = attach(small.model, config_for("all-linear"), "default", generator);
    CHECK(default_generator().state() == before);
    return clone(adapter.parameters()[0].detach());
  };
  CHECK(same_bits(drawn(4), drawn(4)));
  CHECK_FALSE(same_bits(drawn(4), drawn(5)));
}

TEST_CASE("lora: settings out of their range are errors that name them", "[lora]") {
  struct Row {
    LoraConfig config;
    const char* text;
  };
  const std::vector<Row> rows{
      {changed([](LoraConfig& c) { c.r = 0; }), "r must be at least 1 and at most 65536, got 0"},
      {changed([](LoraConfig& c) { c.r = -3; }), "got -3"},
      {changed([](LoraConfig& c) { c.lora_alpha = std::nan(""); }), "lora_alpha"},
      {changed([](LoraConfig& c) { c.lora_alpha = std::numeric_limits<double>::infinity(); }), "lora_alpha"},
      {changed([](LoraConfig& c) { c.lora_dropout = 1.0; }), "lora_dropout"},
      {changed([](LoraConfig& c) { c.lora_dropout = -0.5; }), "lora_dropout"},
      {changed([](LoraConfig& c) { c.lora_dropout = std::nan(""); }), "lora_dropout"},
      {changed([](LoraConfig& c) { c.target_modules = TargetModules{}; }), "target_modules is empty"},
      {changed([](LoraConfig& c) { c.target_modules = {"fc9"}; }), "fc1, fc2, fc3"},
      {changed([](LoraConfig& c) { c.target_modules = "fc["; }), "'fc[' is not a regular expression"},
      {changed([](LoraConfig& c) { c.exclude_modules = "all-linear"; }), "name no layer"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    Small small;
    CHECK_THAT(error_of([&] { attach(small.model, row.config); }), Contains(row.text));
    CHECK(small.model.trainable_parameters().size() == 6);
    CHECK(small.layer("fc1").adapter_names().empty());
  }
}

TEST_CASE("lora: a taken or impossible name is an error, and nothing is attached", "[lora]") {
  Small small;
  attach(small.model, config_for({"fc2"}), "first");
  const auto refused = [&](const std::string& name) {
    const std::string error = error_of([&] { attach(small.model, config_for("all-linear"), name); });
    CHECK(small.layer("fc1").adapter_names().empty());
    CHECK(small.layer("fc2").adapter_names() == std::vector<std::string>{"first"});
    return error;
  };
  CHECK_THAT(refused("first"), Contains("fc2") && Contains("'first' already"));
  for (const std::string name : {"", "a.b", "a b", "../a", "a/b", "\xc3\xa9"}) {
    CHECK_THAT(refused(name), Contains("'" + name + "' is not an adapter name"));
  }
  attach(small.model, config_for({"fc1"}), "first");  // free on this layer
  CHECK(small.layer("fc1").adapter_names() == std::vector<std::string>{"first"});
}

TEST_CASE("lora: while adapters are merged they cannot be changed", "[lora]") {
  Small small;
  const AttachedAdapter adapter = attach(small.model, config_for("all-linear"), "a");
  fill(adapter, 0.25);
  const Tensor x = to(random({2, 6}), DType::f32);
  merge_adapters(small.model);
  const Tensor merged = small.model(x).detach();
  CHECK_THAT(error_of([&] { merge_adapters(small.model); }), Contains("merged") && Contains("unmerge"));
  CHECK_THAT(error_of([&] { adapter.detach(); }), Contains("merged"));
  CHECK_THAT(error_of([&] { adapter.set_active(false); }), Contains("merged"));
  CHECK_THAT(error_of([&] { set_adapters_enabled(small.model, false); }), Contains("merged"));
  CHECK_THAT(error_of([&] { attach(small.model, config_for("all-linear"), "b"); }), Contains("merged"));
  CHECK(same_bits(small.model(x).detach(), merged));
  unmerge_adapters(small.model);
  unmerge_adapters(small.model);  // nothing to do
  set_adapters_enabled(small.model, false);
  CHECK_THAT(error_of([&] { merge_adapters(small.model); }), Contains("disabled"));
}

TEST_CASE("lora: an error of a model-wide switch leaves every layer as it was", "[lora]") {
  Small small;  // fc1 stays unmerged, since nothing is active there; fc2 is merged
  const AttachedAdapter adapter = attach(small.model, config_for({"fc1", "fc2"}), "a");
  fill(adapter, 0.25);
  small.layer("fc1").set_active("a", false);
  merge_adapters(small.model);
  REQUIRE_FALSE(small.layer("fc1").merged());
  REQUIRE(small.layer("fc2").merged());
  CHECK_THAT(error_of([&] { adapter.set_active(true); }), Contains("merged"));
  CHECK_FALSE(small.layer("fc1").is_active("a"));
  CHECK_THAT(error_of([&] { set_adapters_enabled(small.model, false); }), Contains("merged"));
  CHECK(small.layer("fc1").adapters_enabled());
  CHECK_THAT(error_of([&] { adapter.detach(); }), Contains("merged"));
  CHECK(small.layer("fc1").adapter("a") != nullptr);
}

TEST_CASE("lora: a weight changed since the merge is not thrown away by unmerging", "[lora]") {
  Small small;
  fill(attach(small.model, config_for("all-linear")), 0.25);
  merge_adapters(small.model);
  Tensor weight = small.layer("fc2").weight();
  weight.mutable_data<float>()[0] = 42.0f;
  CHECK_THAT(error_of([&] { unmerge_adapters(small.model); }), Contains("[unmerge]") && Contains("changed after merge()"));
  CHECK(weight.to_vector<float>()[0] == 42.0f);
  CHECK(small.layer("fc2").merged());
}

TEST_CASE("lora: merging nothing is no change", "[lora]") {
  Small small;
  merge_adapters(small.model);
  CHECK_FALSE(small.layer("fc1").merged());
  const AttachedAdapter adapter = attach(small.model, config_for({"fc1"}));
  adapter.set_active(false);
  merge_adapters(small.model);
  CHECK_FALSE(small.layer("fc1").merged());
}

TEST_CASE("lora: a detached adapter is an error to use", "[lora]") {
  Small small;
  const AttachedAdapter adapter = attach(small.model, config_for({"fc1"}), "gone");
  adapter.detach();
  const TempFolder folder;
  CHECK_THAT(error_of([&] { (void)adapter.parameters(); }), Contains("'gone'") && Contains("fc1"));
  CHECK_THAT(error_of([&] { adapter.set_active(true); }), Contains("'gone'"));
  CHECK_THAT(error_of([&] { adapter.detach(); }), Contains("'gone'"));
  CHECK_THAT(error_of([&] { save_adapter(adapter, folder / "gone"); }), Contains("'gone'") && Contains("fc1"));
}

TEST_CASE("lora: no memory is kept for the gradient of frozen weights", "[lora]") {
  nn::Linear layer(256, 256);
  attach(layer, config_for("all-linear", 1));
  const Tensor x = ones({256, 256});
  const std::size_t before = memory_stats().current_bytes;
  const Tensor y = layer(x);
  const std::size_t saved = memory_stats().current_bytes - before - y.nbytes();
  CHECK(saved <= 4096);  // h = A x: a column of 256 numbers. Not the base's output, nor a copy of x
}
