#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/pool.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "core/serialize.hpp"
#include "lora/lora.hpp"
#include "lora/peft_files.hpp"
#include "nn/conv2d.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"
#include "nn/pool.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

const double kInf = std::numeric_limits<double>::infinity();

bool is_channels_last(const Tensor& x) { return same_layout(x.shape(), x.strides(), channels_last_strides(x.shape())); }

LoraConfig config_for(TargetModules targets, Index r, double alpha = 3) {
  LoraConfig config;
  config.r = r;
  config.lora_alpha = alpha;
  config.target_modules = std::move(targets);
  return config;
}

Conv2dOptions grouped(Index groups) {
  Conv2dOptions options;
  options.groups = groups;
  return options;
}

}  // namespace

TEST_CASE("conv: wrong operands are errors that show them", "[conv]") {
  const Tensor x = zeros({2, 3, 5, 5}), w = zeros({4, 3, 3, 3});
  const auto error = [](const Tensor& input, const Tensor& weight, const Conv2dOptions& options, const Tensor& bias = {}) {
    return error_of([&] { (void)conv2d(input, weight, bias, options); });
  };
  CHECK_THAT(error(zeros({2, 4, 5, 5}), w, {}), Contains("[conv2d]") && Contains("f32[2,4,5,5]@cpu") && Contains("f32[4,3,3,3]@cpu"));
  CHECK_THAT(error(zeros({3, 5, 5}), w, {}), Contains("[N, C, H, W]") && Contains("f32[3,5,5]@cpu"));
  CHECK_THAT(error(x, w, {0}), Contains("stride"));
  CHECK_THAT(error(x, w, {{1, -1}}), Contains("stride") && Contains("(1, -1)"));
  CHECK_THAT(error(x, w, {1, -1}), Contains("padding"));
  CHECK_THAT(error(x, w, {1, 0, 0}), Contains("dilation"));
  CHECK_THAT(error(x, w, {1, 0, Index{1} << 40}), Contains("dilation"));
  CHECK_THAT(error(x, w, grouped(0)), Contains("groups (0)"));
  CHECK_THAT(error(x, w, grouped(3)), Contains("groups (3)"));
  CHECK_THAT(error(x, w, grouped(2)), Contains("channels differ") && Contains("groups 2"));
  CHECK_THAT(error(x, w, {1, 0, 3}),
             Contains("larger than the padded image") && Contains("f32[2,3,5,5]@cpu") && Contains("f32[4,3,3,3]@cpu"));
  CHECK_THAT(error(x, zeros({4, 3, 0, 3}), {}), Contains("kernel must be 1"));
  CHECK_THAT(error(x, w, {}, zeros({3})), Contains("bias") && Contains("f32[3]@cpu"));
  CHECK_THAT(error(x, zeros({4, 3, 3, 3}, DType::f64), {}), Contains("differ in dtype"));
  CHECK_THAT(error(zeros({2, 3, 5, 5}, DType::i64), zeros({4, 3, 3, 3}, DType::i64), {}), Contains("f32 or f64"));
  CHECK_THAT(error_of([&] { (void)conv2d_add(zeros({2, 4, 5, 5}), x, w); }), Contains("[conv2d_add]"));
  CHECK_THAT(error(x, w, {1, Index{1} << 31}), Contains("not enough memory") || Contains("elements"));
}

TEST_CASE("conv: results are channels-last, and only what is needed is kept", "[conv]") {
  const Tensor x = random({2, 3, 6, 5});
  Tensor weight = random({4, 3, 3, 3});
  Tensor input = contiguous(x);
  input.requires_grad_();
  const Tensor y = conv2d(input, weight, {}, {1, 1});
  CHECK(is_channels_last(y));
  sum(y * y).backward();
  // the weight is frozen, so x is not needed; changing it in place is no error
  const Tensor other = conv2d(input, weight);
  input.detach().fill_(1.0);
  CHECK_NOTHROW(sum(other).backward());
  weight.requires_grad_();
  const Tensor last = conv2d(input, weight);
  input.detach().fill_(2.0);
  CHECK_THAT(error_of([&] { sum(last).backward(); }), Contains("conv2d"));
}

TEST_CASE("conv: a step far beyond the image reads its first pixel only", "[conv]") {
  const Index far = Index{1} << 31;
  Tensor x = ones({1, 1, 3, 3}, DType::f64);
  x.requires_grad_();
  const Tensor y = conv2d(x, full({1, 1, 2, 2}, 2.0, DType::f64), {}, {far, 0});
  CHECK(y.to_vector<double>() == std::vector<double>{8});
  y.backward();
  CHECK(x.grad().to_vector<double>() == std::vector<double>{2, 2, 0, 2, 2, 0, 0, 0, 0});
}

TEST_CASE("pool: wrong operands are errors that show them", "[pool]") {
  const Tensor x = zeros({2, 3, 5, 5});
  CHECK_THAT(error_of([&] { (void)max_pool2d(zeros({3, 5, 5}), 2); }), Contains("[max_pool2d]") && Contains("f32[3,5,5]@cpu"));
  CHECK_THAT(error_of([&] { (void)max_pool2d(x, 6); }), Contains("larger than the padded image") && Contains("f32[2,3,5,5]@cpu"));
  CHECK_THAT(error_of([&] { (void)max_pool2d(x, 0); }), Contains("kernel must be 1"));
  CHECK_THAT(error_of([&] { (void)max_pool2d(x, 2, 0); }), Contains("stride"));
  CHECK_THAT(error_of([&] { (void)max_pool2d(x, 3, 1, 2); }), Contains("more than half"));
  CHECK_THAT(error_of([&] { (void)avg_pool2d(x, 2, 1, -1); }), Contains("[avg_pool2d]") && Contains("padding"));
  CHECK_THAT(error_of([&] { (void)avg_pool2d(zeros({2, 3, 0, 5}), 1); }), Contains("with pixels"));
  CHECK_THAT(error_of([&] { (void)max_pool2d(x, Index{1} << 31, 1, Index{1} << 30); }), Contains("2^31 - 1 elements"));
  CHECK_THAT(error_of([&] { (void)adaptive_avg_pool2d(x, 0); }), Contains("[adaptive_avg_pool2d]"));
  CHECK_THAT(error_of([&] { (void)adaptive_max_pool2d(x, {1, -1}); }), Contains("(1, -1)"));
  CHECK_THAT(error_of([&] { (void)max_pool2d(zeros({1, 1, 2, 2}, DType::i64), 2); }), Contains("f32 or f64"));
}

TEST_CASE("pool: the first of equals has the gradient, NaN goes through, padding never wins", "[pool]") {
  Tensor x = from_values(std::vector<double>{1, 3, 3, 3}, {1, 1, 2, 2});
  x.requires_grad_();
  max_pool2d(x, 2).backward();
  CHECK(x.grad().to_vector<double>() == std::vector<double>{0, 1, 0, 0});
  const Tensor nan = from_values(std::vector<double>{1, std::nan(""), 3, 2}, {1, 1, 2, 2});
  CHECK(std::isnan(max_pool2d(nan, 2).item<double>()));
  CHECK(std::isnan(adaptive_max_pool2d(nan, 1).item<double>()));
  Tensor low = full({1, 1, 2, 2}, -kInf, DType::f64);
  low.requires_grad_();
  const Tensor y = max_pool2d(low, 3, 1, 1);
  CHECK(y.to_vector<double>() == std::vector<double>(4, -kInf));
  sum(y).backward();
  CHECK(low.grad().to_vector<double>() == std::vector<double>{4, 0, 0, 0});
  CHECK(max_pool2d(full({1, 1, 1, 1}, -5.0), 2, 1, 1).to_vector<double>() == std::vector<double>(4, -5.0));
  CHECK(max_pool2d(zeros({1, 1, 1, 1}), 2, 1, 2, 3).to_vector<double>()[3] == -kInf);  // a window of padding alone
}

TEST_CASE("pool: results are channels-last, whatever the operand's strides", "[pool]") {
  const Tensor x = random({2, 3, 6, 4});
  for (const Tensor& input : {x, channels_last(x), reversed_strides(x)}) {
    for (const Tensor& y : {max_pool2d(input, 2), avg_pool2d(input, 2), adaptive_avg_pool2d(input, 3), adaptive_max_pool2d(input, 2)}) {
      CHECK(is_channels_last(y));
    }
  }
}

TEST_CASE("nn: Conv2d starts as PyTorch's does and describes itself so", "[nn][conv]") {
  manual_seed(3);
  const nn::Conv2d layer(8, 16, {3, 5}, {2, {1, 0}, 1, 2});
  CHECK(layer.weight().shape() == Shape{16, 4, 3, 5});
  CHECK(layer.bias().shape() == Shape{16});
  const double bound = 1.0 / std::sqrt(60.0);
  CHECK(max_abs(layer.weight().detach()) <= bound);
  CHECK(max_abs(layer.weight().detach()) > 0.98 * bound);  // of 960 values some are near the ends
  CHECK(max_abs(layer.bias().detach()) <= bound);
  CHECK(layer.in_channels() == 8);
  CHECK(layer.describe() == "Conv2d(8, 16, kernel_size=(3, 5), stride=(2, 2), padding=(1, 0), groups=2)");
  CHECK(nn::Conv2d(3, 16, 3, {1, 1}).describe() == "Conv2d(3, 16, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))");
  CHECK(nn::Conv2d(1, 2, 1, {1, 0, 2}, false).describe() == "Conv2d(1, 2, kernel_size=(1, 1), stride=(1, 1), dilation=(2, 2), bias=False)");
  CHECK_THAT(error_of([] { nn::Conv2d(3, 4, 3, grouped(2)); }), Contains("groups (2)"));
  CHECK_THAT(error_of([] { nn::Conv2d(0, 4, 3); }), Contains("positive"));
  CHECK_THAT(error_of([] { nn::Conv2d(3, 4, 0); }), Contains("positive"));
}

TEST_CASE("nn: pooling layers", "[nn][pool]") {
  const Tensor x = random({2, 3, 6, 6});
  CHECK(same_bits(nn::MaxPool2d(3, 2, 1)(x), max_pool2d(x, 3, 2, 1)));
  CHECK(same_bits(nn::MaxPool2d(2)(x), max_pool2d(x, 2)));
  CHECK(same_bits(nn::AvgPool2d(3, 2, 1, false)(x), avg_pool2d(x, 3, 2, 1, false)));
  CHECK(same_bits(nn::AdaptiveAvgPool2d(1)(x), adaptive_avg_pool2d(x, 1)));
  CHECK(nn::MaxPool2d(2).describe() == "MaxPool2d(kernel_size=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1))");
  CHECK(nn::AvgPool2d(3, 2, 1).describe() == "AvgPool2d(kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))");
  CHECK(nn::AdaptiveAvgPool2d({2, 3}).describe() == "AdaptiveAvgPool2d(output_size=(2, 3))");
}

TEST_CASE("nn: Flatten of a channels-last image gives its elements in the order N, C, H, W", "[nn][conv]") {
  const Tensor x = random({2, 3, 4, 5});
  const Tensor flat = nn::Flatten()(channels_last(x));
  CHECK(flat.shape() == Shape{2, 60});
  CHECK(flat.to_vector<double>() == x.to_vector<double>());
}

TEST_CASE("nn: a network of images trains on its own", "[nn][conv]") {
  manual_seed(5);
  nn::Sequential model;
  model.add<nn::Conv2d>(1, 4, 3, Conv2dOptions{1, 1});
  model.add<nn::ReLU>();
  model.add<nn::MaxPool2d>(2);
  model.add<nn::Conv2d>(4, 6, 3, Conv2dOptions{2, 1});
  model.add<nn::AdaptiveAvgPool2d>(1);
  model.add<nn::Flatten>();
  model.add<nn::Linear>(6, 3);
  const Tensor y = model(randn({5, 1, 8, 8}));
  CHECK(y.shape() == Shape{5, 3});
  sum(y * y).backward();
  for (const auto& [name, tensor] : model.state_dict()) {
    INFO(name);
    CHECK(max_abs(tensor.grad()) > 0.0);
  }
}

TEST_CASE("lora: an adapter of a grouped convolution acts on all inputs, and merging makes the layer dense", "[lora][conv]") {
  nn::Conv2d layer(4, 6, 3, {1, 1, 1, 2}, true, DType::f64);
  CHECK_THAT(error_of([&] { attach(layer, config_for(".*", 3)); }), Contains("rank 3") && Contains("groups"));
  const AttachedAdapter adapter = attach(layer, config_for(".*", 4));
  CHECK(adapter.parameters()[0].shape() == Shape{4, 4, 3, 3});
  CHECK(adapter.parameters()[1].shape() == Shape{6, 2, 1, 1});
  const double bound = 1.0 / std::sqrt(36.0);  // of A, which sees all inputs
  CHECK(max_abs(adapter.parameters()[0].detach()) <= bound);
  CHECK(max_abs(adapter.parameters()[0].detach()) > 0.9 * bound);  // of 144 values some are near the ends
  {
    const NoGrad no_grad;
    adapter.parameters()[1].fill_(0.5);
  }
  const Tensor x = random({2, 4, 5, 5}), weight = clone(layer.weight().detach()), before = layer(x).detach();
  merge_adapters(layer);
  CHECK(layer.state_dict().front().tensor.shape() == Shape{6, 4, 3, 3});
  CHECK(max_abs(layer(x).detach() - before) <= 1e-13 * max_abs(before));  // sums of 36 products in another order
  nn::Conv2d dense(4, 6, 3, {1, 1}, true, DType::f64);
  dense.load_state_dict(layer.state_dict());
  CHECK(same_bits(dense(x).detach(), layer(x).detach()));
  unmerge_adapters(layer);
  CHECK(same_bits(layer.weight().detach(), weight));
  CHECK(same_bits(layer(x).detach(), before));
  const TempFolder folder;
  save_adapter(adapter, folder / "adapter");
  nn::Conv2d other(4, 6, 3, {1, 1, 1, 2}, true, DType::f64);
  other.load_state_dict(layer.state_dict());
  load_adapter(other, folder / "adapter");
  CHECK(same_bits(other(x).detach(), before));
}

TEST_CASE("lora: all-linear does not choose Conv2d, its name does", "[lora][conv]") {
  nn::Sequential model;
  model.add<nn::Conv2d>(1, 2, 3);
  model.add<nn::Flatten>();
  model.add<nn::Linear>(8, 3);
  const AttachedAdapter linear = attach(model, config_for("all-linear", 2), "linear");
  REQUIRE(linear.layers().size() == 1);
  CHECK(linear.layers()[0].path == "2");
  const AttachedAdapter named = attach(model, config_for({"0"}, 2), "conv");
  REQUIRE(named.layers().size() == 1);
  CHECK(named.layers()[0].path == "0");
  const TempFolder folder;
  save_adapter(named, folder / "adapter");
  const SafetensorsFile file = load_safetensors(folder / "adapter/adapter_model.safetensors");
  CHECK(file.at("base_model.model.0.lora_A.weight").shape() == Shape{2, 1, 3, 3});
  CHECK(file.at("base_model.model.0.lora_B.weight").shape() == Shape{2, 2, 1, 1});
}
