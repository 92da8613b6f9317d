// Layers whose weight is kept in 4 bits.

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <memory>

#include "core/autograd.hpp"
#include "core/base/memory.hpp"
#include "core/base/threads.hpp"
#include "core/ops/conv.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/serialize.hpp"
#include "lora/attach.hpp"
#include "lora/lora.hpp"
#include "lora/peft_files.hpp"
#include "lora/quantize_weights.hpp"
#include "models/mlp.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "nn/weights_file.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/source_file.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

struct LayerCase {
  std::string name;
  std::function<std::unique_ptr<nn::AdaptableLayer>(DType)> make;
  Shape x;
};

template <class Layer, class... Args>
std::function<std::unique_ptr<nn::AdaptableLayer>(DType)> maker(Args... args) {
  return [=](DType dtype) { return std::make_unique<Layer>(args..., dtype); };
}

const std::vector<LayerCase>& cases() {
  using Options = Conv2dOptions;
  static const std::vector<LayerCase> all{
      {"Linear", maker<nn::Linear>(5, 4, true), {7, 5}},
      {"Linear of sequences, without bias", maker<nn::Linear>(3, 8, false), {2, 4, 3}},
      {"Linear of a vector", maker<nn::Linear>(6, 3, true), {6}},
      {"Linear in five pieces", maker<nn::Linear>(1000, 1200, true), {3, 1000}},
      {"Conv2d", maker<nn::Conv2d>(3, 5, Size2d(3), Options{1, 1}, true), {2, 3, 6, 5}},
      {"Conv2d with stride, padding and dilation",
       maker<nn::Conv2d>(2, 4, Size2d(3, 2), Options{{2, 1}, {1, 2}, {1, 2}}, false),
       {1, 2, 9, 7}},
      {"Conv2d in pieces", maker<nn::Conv2d>(600, 150, Size2d(3), Options{1, 1}, true), {1, 600, 3, 2}},
      {"Conv2d with groups", maker<nn::Conv2d>(4, 6, Size2d(3), Options{1, 1, 1, 2}, true), {2, 4, 5, 4}},
      {"Conv2d of each channel", maker<nn::Conv2d>(6, 6, Size2d(3), Options{1, 0, 1, 6}, false), {2, 6, 5, 4}},
  };
  return all;
}

/// A dense layer of the same kind with the weight that a 4-bit one stands for.
std::unique_ptr<nn::AdaptableLayer> expanded(const LayerCase& c, const nn::AdaptableLayer& layer) {
  auto dense = c.make(layer.dtype());
  dense->load_state_dict([&] {
    nn::StateDict state{{"weight", layer.weight()}};
    if (layer.bias().defined()) {
      state.push_back({"bias", layer.bias()});
    }
    return state;
  }());
  return dense;
}

struct Ran {
  Tensor y, gx, gb;
};

Ran run(const nn::AdaptableLayer& layer, const Tensor& input) {
  Tensor x = clone(input);
  x.requires_grad_();
  const Tensor y = layer(x);
  Generator generator(5);
  y.backward(to(randn(y.shape(), DType::f64, generator), y.dtype()));
  return {y.detach(), x.grad(), layer.bias().defined() ? layer.bias().grad() : Tensor{}};
}

double relative_difference(const Tensor& a, const Tensor& b) { return max_difference(a, b) / std::max(1.0, max_abs(b)); }

std::vector<std::string> names_of(const nn::StateDict& state) {
  std::vector<std::string> names;
  for (const nn::NamedTensor& entry : state) {
    names.push_back(entry.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Two small layers, the first in 4 bits.
std::unique_ptr<models::Mlp> small_mlp(bool quantized) {
  manual_seed(4);
  auto model = std::make_unique<models::Mlp>(models::MlpOptions{20, 16, 5});
  if (quantized) {
    QuantizationConfig config;
    config.exclude_modules = {"fc3"};
    quantize_weights(*model, config);
  }
  return model;
}

bool same_state(const nn::Module& a, const nn::Module& b) {
  const nn::StateDict x = a.state_dict(), y = b.state_dict();
  bool same = x.size() == y.size();
  for (std::size_t i = 0; same && i < x.size(); ++i) {
    same = x[i].name == y[i].name && same_bits(x[i].tensor.detach(), y[i].tensor.detach());
  }
  return same;
}

}  // namespace

TEST_CASE("packed: a layer in 4 bits is the dense layer with the expanded weight, gradients too", "[packed]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  for (const LayerCase& c : cases()) {
    CAPTURE(c.name, dtype);
    manual_seed(2);
    const auto layer = c.make(dtype);
    layer->set_weight(quantize_4bit(layer->weight(), {QuantType::nf4, 64, true}));
    REQUIRE(layer->packed() != nullptr);
    const Tensor x = to(random(c.x), dtype);
    const Ran packed = run(*layer, x), dense = run(*expanded(c, *layer), x);
    // the same products in another order: some roundings of the largest result
    const double tolerance = dtype == DType::f64 ? 1e-13 : 1e-5;
    CHECK(relative_difference(packed.y, dense.y) <= tolerance);
    CHECK(relative_difference(packed.gx, dense.gx) <= tolerance);
    if (dense.gb.defined()) {
      CHECK(relative_difference(packed.gb, dense.gb) <= tolerance);
    }
  }
}

TEST_CASE("packed: the gradient is right for any strides of the cotangent, and the graph outlives the layer", "[packed]") {
  Tensor x = random({2, 3, 5, 5}), y, expected;
  x.requires_grad_();
  {
    nn::Conv2d layer(3, 4, 3, {2, 1}, false, DType::f64);
    quantize_weights(layer);
    const Tensor dense = layer.weight();
    sum(conv2d(x, dense, {}, {2, 1})).backward();
    expected = x.grad();
    x.set_grad({});
    y = layer(x);
  }
  sum(y).backward();  // its cotangent has strides 0
  CHECK(max_difference(x.grad(), expected) <= 1e-14);
}

TEST_CASE("packed: codes that were changed since the forward pass are an error", "[packed]") {
  nn::Linear layer(8, 4);
  quantize_weights(layer);
  Tensor x = random({2, 8});
  x = to(x, DType::f32);
  x.requires_grad_();
  const Tensor y = sum(layer(x));
  Tensor codes = layer.packed()->packed;
  codes.fill_(0);
  CHECK_THAT(error_of([&] { y.backward(); }), Contains("packed_weight") && Contains("changed"));
}

TEST_CASE("packed: such a weight is no parameter, and takes an eighth of the memory", "[packed]") {
  nn::Linear layer(1024, 2048);
  const std::size_t dense = memory_stats().current_bytes;
  quantize_weights(layer);
  const std::size_t saved = dense - memory_stats().current_bytes;
  CHECK(saved >= 1024 * 2048 * 4 - 1024 * 2048 * 42 / 80);
  CHECK(layer.parameters().size() == 1);
  CHECK(layer.trainable_parameters().size() == 1);
  CHECK(count_parameters(layer).total == 1024 * 2048 + 2048);
  CHECK(static_cast<double>(layer.packed()->nbytes()) <= 0.14 * 1024 * 2048 * 4);
  const Tensor x = to(random({4, 1024}), DType::f32);
  const std::size_t before = memory_stats().current_bytes;
  reset_peak_memory();
  const Tensor y = layer(x);
  CHECK(memory_stats().peak_bytes - before <= (1 << 20) + (1 << 18));  // a piece of the weight, and results
}

TEST_CASE("packed: the same bits for any number of threads", "[packed][threads][determinism]") {
  const int before = num_threads();
  for (const LayerCase& c : cases()) {
    manual_seed(2);
    const auto layer = c.make(DType::f32);
    quantize_weights(*layer);
    const Tensor x = to(random(c.x), DType::f32);
    std::vector<Ran> seen;
    for (const int threads : {1, 3}) {
      set_num_threads(threads);
      seen.push_back(run(*layer, x));
    }
    CAPTURE(c.name);
    CHECK(same_bits(seen[0].y, seen[1].y));
    CHECK(same_bits(seen[0].gx, seen[1].gx));
  }
  set_num_threads(before);
}

TEST_CASE("packed: quantize_weights takes the layers that are named, whole or not at all", "[packed]") {
  const auto model = small_mlp(false), untouched = small_mlp(false);
  QuantizationConfig config;
  config.target_modules = {"nothing"};
  CHECK_THAT(error_of([&] { quantize_weights(*model, config); }), Contains("name no layer"));
  config.target_modules = ".*";
  config.blocksize = 100;
  CHECK_THAT(error_of([&] { quantize_weights(*model, config); }), Contains("fc1") && Contains("a power of two"));
  config.blocksize = 64;
  Tensor last = model->parameters()[4].detach();
  last.mutable_data<float>()[3] = std::numeric_limits<float>::infinity();
  CHECK_THAT(error_of([&] { quantize_weights(*model, config); }), Contains("fc3") && Contains("not finite"));
  CHECK(model->parameters().size() == 6);
  config.exclude_modules = {"fc3"};
  CHECK(quantize_weights(*model, config).size() == 2);
  CHECK(quantize_weights(*model, config).empty());  // they are in 4 bits already
  CHECK(model->parameters().size() == 4);
}

TEST_CASE("packed: the state dict has the names of bitsandbytes", "[packed]") {
  const bool double_quant = GENERATE(false, true);
  nn::Linear layer(8, 4);
  layer.set_weight(quantize_4bit(layer.weight(), {QuantType::fp4, 64, double_quant}));
  std::vector<std::string> expected{"bias", "weight", "weight.absmax", "weight.quant_map", "weight.quant_state.bitsandbytes__fp4"};
  if (double_quant) {
    expected.insert(expected.begin() + 3, {"weight.nested_absmax", "weight.nested_quant_map"});
  }
  CHECK(names_of(layer.state_dict()) == expected);
  const nn::StateDict state = layer.state_dict();
  const auto bytes = state.back().tensor.to_vector<std::uint8_t>();
  const std::string json(bytes.begin(), bytes.end());
  CHECK_THAT(json, Contains(R"({"quant_type": "fp4", "blocksize": 64, "dtype": "float32", "shape": [4, 8])"));
  CHECK((json.find(R"("nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": )") != std::string::npos) == double_quant);
}

TEST_CASE("packed: files make layers of 4 bits, and dense ones again", "[packed]") {
  const TempFolder folder;
  const auto packed = small_mlp(true), dense = small_mlp(false);
  nn::save_weights(*packed, folder / "packed.safetensors");
  nn::save_weights(*dense, folder / "dense.safetensors");
  const Tensor x = to(random({3, 20}), DType::f32), y = (*packed)(x).detach(), y_dense = (*dense)(x).detach();
  nn::load_weights(*dense, folder / "packed.safetensors");
  CHECK(same_bits((*dense)(x).detach(), y));
  CHECK(same_state(*dense, *packed));
  CHECK(dense->parameters().size() == 4);
  nn::load_weights(*dense, folder / "dense.safetensors");
  CHECK(same_bits((*dense)(x).detach(), y_dense));
  CHECK(dense->parameters().size() == 6);
  CHECK(dense->trainable_parameters().size() == 6);
}

TEST_CASE("packed: loading copies, so that models do not share codes", "[packed]") {
  const auto a = small_mlp(true), b = small_mlp(false);
  b->load_state_dict(a->state_dict());
  for (const nn::NamedTensor& entry : a->state_dict()) {
    for (const nn::NamedTensor& other : b->state_dict()) {
      CHECK(entry.tensor.storage() != other.tensor.storage());
    }
  }
}

TEST_CASE("packed: a state dict that does not fit changes nothing", "[packed]") {
  const auto source = small_mlp(true), model = small_mlp(false), untouched = small_mlp(false);
  const auto error_with = [&](auto change) {
    nn::StateDict state = source->state_dict();
    change(state);
    const std::string error = error_of([&] { model->load_state_dict(state); });
    CHECK(same_state(*model, *untouched));
    return error;
  };
  const auto replaced = [&](const std::string& name, const Tensor& tensor) {
    return error_with([&](nn::StateDict& state) {
      for (nn::NamedTensor& entry : state) {
        entry.tensor = entry.name == name ? tensor : entry.tensor;
      }
    });
  };
  const auto removed = [&](const std::string& name) {
    return error_with([&](nn::StateDict& state) { std::erase_if(state, [&](const nn::NamedTensor& e) { return e.name == name; }); });
  };
  const std::string key = "fc2.weight.quant_state.bitsandbytes__nf4";
  const auto json = [](const std::string& text) {
    return from_values(std::vector<std::uint8_t>(text.begin(), text.end()), {static_cast<Index>(text.size())});
  };
  CHECK_THAT(removed("fc2.weight"), Contains(key) && Contains("packed is missing"));
  CHECK_THAT(removed("fc2.weight.absmax"), Contains(key) && Contains("absmax is missing"));
  CHECK_THAT(removed("fc2.weight.quant_map"), Contains("code is missing"));
  CHECK_THAT(removed("fc2.weight.nested_absmax"), Contains("absmax is u8[4]@cpu, expected 4 f32"));
  CHECK_THAT(removed(key), Contains("unexpected: fc2.weight.absmax"));
  CHECK_THAT(removed("fc3.weight"), Contains("missing: fc3.weight"));
  CHECK_THAT(replaced("fc2.weight", zeros({5}, DType::u8)), Contains("packed is u8[5]"));
  CHECK_THAT(replaced(key, json("{")), Contains(key) && Contains("not what bitsandbytes writes"));
  CHECK_THAT(replaced(key, json("[]")), Contains("JSON object"));
  CHECK_THAT(replaced(key, json("{}")), Contains("quant_type"));
  CHECK_THAT(replaced(key, zeros({1 << 20}, DType::u8)), Contains("bytes of JSON"));
  CHECK_THAT(replaced(key, json(std::string(5000, '['))), Contains(key));
  const auto state = [&](const std::string& type, const std::string& block, const std::string& dtype, const std::string& shape) {
    return replaced(key, json(R"({"quant_type":")" + type + R"(","blocksize":)" + block + R"(,"dtype":")" + dtype + R"(","shape":)" +
                              shape + R"(,"nested_blocksize":256,"nested_offset":0.1,"nested_dtype":"float32"})"));
  };
  CHECK_THAT(state("fp4", "64", "float32", "[16,16]"), Contains("its 'quant_type' is fp4"));
  CHECK_THAT(state("int8", "64", "float32", "[16,16]"), Contains("'quant_type' is 'int8'"));
  CHECK_THAT(state("nf4", "0", "float32", "[16,16]"), Contains("blocksize"));
  CHECK_THAT(state("nf4", "64", "int32", "[16,16]"), Contains("'dtype' is 'int32'"));
  CHECK_THAT(state("nf4", "64", "float32", "[8,32]"), Contains("fc2.weight") && Contains("is [16,16]"));
  CHECK_THAT(state("nf4", "64", "float32", "[-16,16]"), Contains("negative"));
  CHECK_THAT(state("nf4", "64", "float32", "[4611686018427387904,16]"), Contains("too many elements"));
  CHECK_THAT(state("nf4", "64", "float32", "[1,1,1,1,1,1,1,1,1,1]"), Contains("10 axes"));
  CHECK_THAT(state("nf4", "64", "float32", "\"16\""), Contains("not what bitsandbytes writes"));
  CHECK_THAT(error_with([&](nn::StateDict& s) {
               s.push_back({"fc2.weight.quant_state.bitsandbytes__fp4", json("{}")});
             }),
             Contains("has two"));
}

TEST_CASE("packed: a checkpoint of bitsandbytes gives the logits of PyTorch, plain and with an adapter of PEFT", "[packed][peft]") {
  const std::filesystem::path golden = lora::test::source_file("tests/golden/peft_mlp");
  const SafetensorsFile expected = load_safetensors(golden / "expected.safetensors");
  models::Mlp model;
  nn::load_weights(model, golden / "model_4bit.safetensors");
  model.eval();
  constexpr double kTolerance = 1e-4;  // PyTorch sums in another order in f32
  CHECK(max_difference(model(expected.at("x")).detach(), expected.at("logits.base_4bit")) <= kTolerance);
  load_adapter(model, golden / "lora");
  CHECK(max_difference(model(expected.at("x")).detach(), expected.at("logits.lora_4bit")) <= kTolerance);
  CHECK(max_difference(expected.at("logits.base_4bit"), expected.at("logits.base")) > 100 * kTolerance);
  const TempFolder folder;
  nn::save_weights(model, folder / "again.safetensors");
  const SafetensorsFile ours = load_safetensors(folder / "again.safetensors"), theirs = load_safetensors(golden / "model_4bit.safetensors");
  REQUIRE(ours.tensors.size() == theirs.tensors.size());
  for (const auto& [name, tensor] : theirs.tensors) {
    INFO(name);
    CHECK(same_bits(ours.at(name), tensor));  // the JSON too, blanks and all
  }
}

TEST_CASE("packed: merging makes it dense, or quantizes again and says what that changed", "[packed]") {
  const auto model = small_mlp(true);
  const nn::StateDict before = model->state_dict();
  LoraConfig config;
  config.target_modules = ".*";
  const AttachedAdapter adapter = attach(*model, config);
  {
    const NoGrad no_grad;
    for (Tensor& parameter : adapter.parameters()) {
      parameter.copy_(to(random(parameter.shape()), DType::f32) * 0.1);
    }
  }
  const Tensor x = to(random({3, 20}), DType::f32), y = (*model)(x).detach();
  merge_adapters(*model);
  CHECK(adapter.layers()[0].layer->packed() == nullptr);
  CHECK(max_difference((*model)(x).detach(), y) <= 1e-6);
  const Tensor dense = adapter.layers()[0].layer->weight();
  unmerge_adapters(*model);
  CHECK(same_bits((*model)(x).detach(), y));
  const auto reports = merge_adapters(*model, {true});
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].path == "fc1");
  const nn::AdaptableLayer& layer = *adapter.layers()[0].layer;
  REQUIRE(layer.packed() != nullptr);
  CHECK(reports[0].report.max_error == Approx(max_difference(layer.weight(), dense)));
  CHECK(reports[0].report.mean_error > 0);
  CHECK(reports[0].report.mean_error < reports[0].report.max_error);
  CHECK(reports[0].report.changed_codes > 0.01);
  CHECK(reports[0].report.changed_codes < 1);
  CHECK(max_difference((*model)(x).detach(), y) > 0);
  unmerge_adapters(*model);
  CHECK(same_bits((*model)(x).detach(), y));
  const nn::StateDict after = model->state_dict();
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK(after[i].tensor.storage() == before[i].tensor.storage());
  }
}

TEST_CASE("packed: an adapter too small for a step of the codes vanishes in them, and the report says so", "[packed]") {
  nn::Linear layer(64, 32);
  quantize_weights(layer, {QuantType::nf4, 64, false, ".*", {}});
  LoraConfig config;
  config.target_modules = ".*";
  const AttachedAdapter adapter = attach(layer, config);
  {
    const NoGrad no_grad;
    adapter.parameters()[1].fill_(1e-7);
  }
  CHECK(merge_adapters(layer, {true})[0].report.changed_codes == 0);
}

TEST_CASE("packed: what is merged is not changed under the adapter, and a grouped weight is not requantized", "[packed]") {
  nn::Conv2d layer(4, 6, 3, {1, 1, 1, 2});
  quantize_weights(layer);
  const nn::StateDict state = layer.state_dict();
  const Quantized4Bit packed = *layer.packed();
  LoraConfig config;
  config.target_modules = ".*";
  config.r = 4;
  const AttachedAdapter adapter = attach(layer, config);
  {
    const NoGrad no_grad;
    adapter.parameters()[1].fill_(0.1);
  }
  CHECK_THAT(error_of([&] { merge_adapters(layer, {true}); }), Contains("grouped") && Contains("merge without requantizing"));
  CHECK_FALSE(layer.merged());
  CHECK_THAT(error_of([&] { layer.requantize(); }), Contains("nothing is merged"));
  merge_adapters(layer);
  CHECK_THAT(error_of([&] { layer.set_weight(packed); }), Contains("unmerge"));
  CHECK_THAT(error_of([&] { quantize_weights(layer); }), Contains("unmerge"));
  CHECK_THAT(error_of([&] { layer.load_state_dict(state); }), Contains("4-bit weight") || Contains("unmerge"));
  unmerge_adapters(layer);
  CHECK(layer.packed() != nullptr);
}

TEST_CASE("packed: another weight must fit the layer", "[packed]") {
  nn::Linear layer(8, 4);
  CHECK_THAT(error_of([&] { layer.set_weight(zeros({4, 7})); }), Contains("f32[4,8]"));
  CHECK_THAT(error_of([&] { layer.set_weight(zeros({4, 8}, DType::f64)); }), Contains("f64[4,8]"));
  CHECK_THAT(error_of([&] { layer.set_weight(quantize_4bit(zeros({8, 4}))); }), Contains("4-bit [8,4]"));
  CHECK_THAT(error_of([&] { layer.set_weight(Quantized4Bit{}); }), Contains("missing"));
}

TEST_CASE("conv: conv2d_input is the gradient of conv2d by x", "[packed][conv]") {
  for (const Conv2dOptions& options : {Conv2dOptions{1, 1}, Conv2dOptions{{2, 1}, {1, 0}, {1, 2}}, Conv2dOptions{1, 1, 1, 2}}) {
    Tensor x = random({2, 4, 7, 6});
    x.requires_grad_();
    const Tensor weight = random({6, 4 / options.groups, 3, 2}), y = conv2d(x, weight, {}, options), gy = random(y.shape());
    y.backward(gy);
    CHECK(same_bits(conv2d_input(x.shape(), weight, reversed_strides(gy), options), x.grad()));
  }
  const Tensor weight = random({6, 4, 3, 3});
  CHECK_THAT(error_of([&] { conv2d_input({2, 4, 7, 6}, weight, random({2, 6, 5, 5})); }), Contains("grad_output is f64[2,6,5,5]"));
  CHECK_THAT(error_of([&] { conv2d_input({2, 3, 7, 6}, weight, random({2, 6, 5, 4})); }), Contains("channels differ"));
  CHECK_THAT(error_of([&] { conv2d_input({2, 4, 7}, weight, random({2, 6, 5, 4})); }), Contains("must be [N, C, H, W]"));
  CHECK_THAT(error_of([&] { conv2d_input({2, 4, 7, 6}, weight, to(random({2, 6, 5, 4}), DType::f32)); }), Contains("differ in dtype"));
}
