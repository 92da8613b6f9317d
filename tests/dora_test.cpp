#include <catch2/catch.hpp>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "lora/dora.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "tests/support/op_case.hpp"

using namespace lora;
using namespace lora::test;

namespace {

LoraConfig dora(Index r = 2) {
  LoraConfig config;
  config.r = r;
  config.lora_alpha = 3.0;
  config.use_dora = true;
  config.target_modules = ".*";
  return config;
}

void move(const AttachedAdapter& adapter) {
  const NoGrad no_grad;
  for (Tensor& parameter : adapter.parameters()) {
    parameter.copy_(parameter + random(parameter.shape()));
  }
}

/// y = g (W x + s B A x) + b from the dense W + s B A.
Tensor by_definition(const nn::AdaptableLayer& layer, const AttachedAdapter& adapter, const Tensor& x) {
  const NoGrad no_grad;
  const auto p = adapter.parameters();
  const Tensor changed = layer.spread(layer.weight()) + 1.5 * layer.outer(p[1], p[0]);
  const Tensor gain = reshape(p[2], {-1}) / norm(flatten(changed, 1), 2, {1});
  const Tensor y = layer.per_output(gain) * layer.apply(x, changed);
  return layer.bias().defined() ? y + layer.per_output(layer.bias()) : y;
}

}  // namespace

TEST_CASE("dora: the output is that of its definition, grouped convolutions included", "[lora][dora]") {
  const auto check = [](nn::AdaptableLayer& layer, const Tensor& x) {
    const AttachedAdapter adapter = attach(layer, dora());
    move(adapter);
    CHECK(max_difference(layer(x).detach(), by_definition(layer, adapter, x)) <= 1e-13);  // sums of some dozen terms near 1
  };
  nn::Linear linear(5, 4, true, DType::f64), one(5, 3, false, DType::f64), images(5, 3, false, DType::f64);
  check(linear, random({6, 5}));
  check(one, random({5}));
  check(images, random({2, 3, 5}));
  nn::Conv2d grouped(4, 6, 3, {2, 1, 1, 2}, true, DType::f64);
  check(grouped, random({2, 4, 5, 5}));
}

TEST_CASE("dora: a changed base weight is noticed", "[lora][dora]") {
  nn::Linear layer(5, 4, true, DType::f64);
  const AttachedAdapter adapter = attach(layer, dora());
  move(adapter);
  const Tensor x = random({3, 5});
  layer(x);
  {
    const NoGrad no_grad;
    layer.weight().copy_(random({4, 5}));
  }
  CHECK(max_difference(layer(x).detach(), by_definition(layer, adapter, x)) <= 1e-13);  // as above
}

TEST_CASE("dora: a row of zeros gives no NaN and learns", "[lora][dora]") {
  manual_seed(4);
  nn::Linear layer(4, 3, true, DType::f64);
  {
    const NoGrad no_grad;
    narrow(layer.weight().detach(), 0, 1, 1).fill_(0.0);
  }
  const AttachedAdapter adapter = attach(layer, dora());
  const Tensor magnitude = adapter.parameters()[2];
  CHECK(magnitude.to_vector<double>()[1] == 0.0);
  const Tensor x = random({5, 4}), goal = random({5, 1});
  const auto loss = [&] { return sum(square(narrow(layer(x), 1, 1, 1) - goal)); };  // of that row alone
  const double before = loss().item<double>();
  for (int step = 0; step < 200; ++step) {
    layer.zero_grad();
    loss().backward();
    CHECK((magnitude.grad().to_vector<double>()[1] == 0.0) == (step == 0));
    const NoGrad no_grad;
    for (Tensor parameter : adapter.parameters()) {
      parameter.copy_(parameter - 0.02 * parameter.grad());
    }
  }
  CHECK(magnitude.to_vector<double>()[1] != 0.0);
  CHECK(loss().item<double>() < 0.9 * before);
  merge_adapters(layer);
  CHECK(loss().item<double>() < 0.9 * before);
}

TEST_CASE("dora: a convolution's magnitude has PEFT's shape", "[lora][dora]") {
  nn::Conv2d layer(2, 6, 3);
  CHECK(attach(layer, dora()).parameters()[2].shape() == Shape{1, 6, 1, 1});
}
