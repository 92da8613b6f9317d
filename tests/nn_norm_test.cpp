#include <atomic>
#include <catch2/catch.hpp>
#include <limits>
#include <memory>
#include <vector>

#include "core/autograd.hpp"
#include "core/base/memory.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/norm.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "lora/lora.hpp"
#include "nn/batch_norm.hpp"
#include "nn/checkpoint.hpp"
#include "nn/layer_norm.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"
#include "nn/optim/adam.hpp"
#include "nn/running_statistics.hpp"
#include "nn/trainer.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Values = std::vector<double>;

namespace {

/// (i^2) / 50 - 1 in the shape [2, 2, 2, 2].
Tensor squares() {
  Values values;
  for (int i = 0; i < 16; ++i) {
    values.push_back(i * i / 50.0 - 1);
  }
  return from_values(values, {2, 2, 2, 2});
}

Tensor named(const nn::Module& model, const std::string& name) {
  for (const auto& entry : model.state_dict()) {
    if (entry.name == name) {
      return entry.tensor;
    }
  }
  return {};
}

/// The layer of the reference numbers, which torch.nn.BatchNorm2d (2.15) gave for squares().
nn::BatchNorm2d& reference(nn::BatchNorm2d& layer) {
  const NoGrad no_grad;
  named(layer, "weight").copy_(from_values(Values{2, -1}, {2}));
  named(layer, "bias").copy_(from_values(Values{0.5, 0.25}, {2}));
  return layer;
}

bool close(const Tensor& found, const Values& expected) {  // printed with all digits
  return max_difference(reshape(found, {-1}), from_values(expected, {static_cast<Index>(expected.size())})) <= 1e-14;
}

/// A small network with batch normalisation for x [N, 4].
class Network final : public nn::Module {
 public:
  Network() {
    child("fc1", fc1_);
    child("bn", bn_);
    child("fc2", fc2_);
  }
  Tensor forward(const Tensor& x) const override { return fc2_(relu(reshape(bn_(reshape(fc1_(x), {-1, 6, 1, 1})), {-1, 6}))); }
  std::string describe() const override { return "Network"; }

 private:
  nn::Linear fc1_{4, 6}, fc2_{6, 3};
  nn::BatchNorm2d bn_{6};
};

/// Batches of eight samples; one step may be spoilt.
struct Data {
  Index bad_step = -1;
  Index batches() const { return 3; }
  Index samples() const { return 24; }
  nn::Batch batch(Index epoch, Index i) const {
    Generator generator(5, static_cast<std::uint64_t>(epoch * 3 + i));
    Tensor x = uniform({8, 4}, -1, 1, DType::f32, generator);
    if (i == bad_step) {
      x.fill_(std::numeric_limits<double>::infinity());
    }
    return {x, from_values(std::vector<std::int64_t>{0, 1, 2, 0, 1, 2, 0, 1}, {8})};
  }
};

nn::TrainOptions options(Index epochs, const std::atomic<bool>* stop = nullptr) {
  nn::TrainOptions o;
  o.epochs = epochs;
  o.classes = 3;
  o.restore_best = false;
  o.stop = stop;
  return o;
}

std::vector<Tensor> copies(const nn::Module& model) {
  std::vector<Tensor> out;
  for (const auto& entry : model.state_dict()) {
    out.push_back(clone(entry.tensor.detach()));
  }
  return out;
}

bool same(const nn::Module& model, const std::vector<Tensor>& expected) {
  const auto now = copies(model);
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (!same_bits(now[i], expected[i])) {
      return false;
    }
  }
  return now.size() == expected.size();
}

}  // namespace

TEST_CASE("nn: BatchNorm2d has PyTorch's names and values", "[nn]") {
  nn::BatchNorm2d layer(2, {.eps = 1e-3, .momentum = 0.25}, DType::f64);
  reference(layer);
  std::vector<std::string> names;
  for (const auto& entry : layer.state_dict()) {
    names.push_back(entry.name);
  }
  CHECK(names == std::vector<std::string>{"weight", "bias", "running_mean", "running_var", "num_batches_tracked"});
  CHECK(named(layer, "num_batches_tracked").dtype() == DType::i64);
  CHECK(named(layer, "num_batches_tracked").ndim() == 0);
  nn::RunningStatistics statistics;
  CHECK(close(layer(squares()),
              {-1.5390069235134218, -1.4960804619657706, -1.3673010773228178, -1.152668769584563, 1.4018093670262184, 1.2885166424006886,
               1.1500477567472636, 0.9864027100659429, 1.208286615536241, 1.938036461846308, 2.753639231251676, 3.6550949237523467,
               -0.20946493875909267, -0.5241669516077863, -0.8640451254843754, -1.22909946038886}));
  statistics.apply();
  CHECK(close(named(layer, "running_mean"), {-0.0125, 0.2875}));
  CHECK(close(named(layer, "running_var"), {0.9978, 1.470942857142857}));
  layer(squares() * 2.0);
  statistics.apply();
  CHECK(close(named(layer, "running_mean"), {-0.034375, 0.790625}));
  CHECK(close(named(layer, "running_var"), {1.73955, 3.9869785714285713}));
  CHECK(named(layer, "num_batches_tracked").item<std::int64_t>() == 2);
  layer.eval();
  CHECK(close(narrow(reshape(layer(squares()), {16}), 0, 0, 3), {-0.9638455100473942, -0.9335263797422054, -0.8425689888266392}));
}

TEST_CASE("nn: statistics move when they are applied, and only in training mode", "[nn]") {
  nn::BatchNorm2d layer(2, {}, DType::f64);
  const auto before = copies(layer);
  layer(squares());
  CHECK(same(layer, before));
  {
    nn::RunningStatistics dropped;
    layer(squares());
  }
  CHECK(same(layer, before));
  nn::RunningStatistics outer;
  {
    nn::RunningStatistics inner;
    layer(squares());
    outer.apply();
    CHECK(same(layer, before));  // reported to the inner one
    layer.eval();
    layer(squares());
    inner.apply();
    inner.apply();
  }
  CHECK(named(layer, "num_batches_tracked").item<std::int64_t>() == 1);
  layer.train();
  layer(squares());
  layer(squares() * 3.0);
  outer.apply();
  CHECK(named(layer, "num_batches_tracked").item<std::int64_t>() == 3);
}

TEST_CASE("nn: a batch norm may be dropped before its statistics are applied", "[nn]") {
  nn::RunningStatistics statistics;
  nn::BatchNorm2d(2, {}, DType::f64)(squares());
  statistics.apply();
}

TEST_CASE("nn: BatchNorm2d names what does not fit", "[nn]") {
  nn::BatchNorm2d layer(2);
  CHECK_THAT(error_of([&] { layer(zeros({1, 2, 1, 1})); }), Contains("more than one value") && Contains("f32[1,2,1,1]@cpu"));
  CHECK_THAT(error_of([&] { layer(zeros({2, 3, 4, 4})); }), Contains("[N,2,H,W]") && Contains("f32[2,3,4,4]@cpu"));
  CHECK_THAT(error_of([&] { layer(zeros({2, 2})); }), Contains("[BatchNorm2d]"));
  CHECK_THAT(error_of([&] { layer(zeros({2, 2, 1, 1}, DType::f64)); }), Contains("needs x f32[N,2,H,W]"));
  CHECK_THAT(error_of([] { nn::BatchNorm2d(0); }), Contains("channels is 0"));
  CHECK_THAT(error_of([] { nn::BatchNorm2d(1, {.momentum = 1.5}); }), Contains("momentum is 1.5"));
  layer.eval();
  CHECK(layer(zeros({0, 2, 4, 4})).shape() == Shape{0, 2, 4, 4});
  CHECK(nn::BatchNorm2d(3, {.affine = false}).parameters().empty());
  CHECK(nn::BatchNorm2d(3, {.affine = false}).describe() == "BatchNorm2d(3, affine=false)");
}

TEST_CASE("nn: batch norm ops name what does not fit", "[nn]") {
  const Tensor x = zeros({2, 3});
  const auto normed = [&](const Tensor& in, const Tensor& weight, double eps) {
    return error_of([&] { batch_norm_training(in, weight, {}, eps); });
  };
  CHECK_THAT(normed(zeros({3}), {}, 1e-5), Contains("[N, C, ..]"));
  CHECK_THAT(normed(zeros({2, 3}, DType::i64), {}, 1e-5), Contains("f32 or f64"));
  CHECK_THAT(normed(zeros({0, 3}), {}, 1e-5), Contains("more than one value"));
  CHECK_THAT(normed(x, zeros({2}), 1e-5), Contains("weight is f32[2]@cpu"));
  CHECK_THAT(normed(x, {}, -1), Contains("eps is -1"));
  CHECK_THAT(error_of([&] { batch_norm(x, {}); }), Contains("needs a mean"));
  CHECK_THAT(error_of([&] { batch_norm(x, {zeros({3}), zeros({3}).requires_grad_()}); }), Contains("constants"));
  CHECK_THAT(error_of([&] { batch_norm(x, {zeros({3}), zeros({1})}); }), Contains("var is f32[1]@cpu"));
  CHECK_THAT(error_of([&] { layer_norm(x, {}); }), Contains("at least one"));
  CHECK_THAT(error_of([&] { layer_norm(x, {2}); }), Contains("f32[2,3]@cpu") && Contains("[2]"));
  CHECK_THAT(error_of([&] { layer_norm(x, {1, 2, 3}); }), Contains("[1,2,3]"));
  CHECK_THAT(error_of([&] { layer_norm(x, {3}, {}, zeros({3, 1})); }), Contains("bias is f32[3,1]@cpu"));
}

TEST_CASE("nn: images stay channels-last through batch norm, forwards and back", "[nn]") {
  Tensor x = channels_last(random({2, 3, 4, 5}));
  x.requires_grad_();
  const BatchNormResult result = batch_norm_training(x);
  CHECK(same_layout(x.shape(), result.y.strides(), channels_last_strides(x.shape())));
  CHECK_FALSE(result.statistics.mean.requires_grad());
  const Tensor y = batch_norm(random({2, 3, 4, 5}), result.statistics);  // row-major in
  CHECK(same_layout(y.shape(), y.strides(), channels_last_strides(y.shape())));
}

TEST_CASE("nn: a frozen batch norm in evaluation keeps no input", "[nn]") {
  Tensor x = random({8, 16, 4, 4});
  x.requires_grad_();
  const BatchStatistics constants{random({16}), random({16}, 1, 2)};
  const std::size_t before = memory_stats().current_bytes;
  Tensor temporary = channels_last(x + 1.0);
  const Tensor y = batch_norm(temporary, constants, random({16}));
  temporary = {};
  CHECK(memory_stats().current_bytes - before <= y.nbytes() + 4096);
}

TEST_CASE("nn: LayerNorm normalises the last axes", "[nn]") {
  nn::LayerNorm layer({2, 3}, 1e-5, true, DType::f64);
  CHECK(layer.describe() == "LayerNorm([2,3])");
  CHECK(layer.parameters().size() == 2);
  CHECK(layer.parameters()[0].shape() == Shape{2, 3});
  CHECK(nn::LayerNorm({4}, 1e-5, false).parameters().empty());
  const Tensor x = random({5, 2, 3});
  const Tensor y = layer(x);
  CHECK(max_abs(mean(y, {1, 2})) <= 1e-15);                                   // six values of size 1
  CHECK(max_difference(mean(y * y, {1, 2}), ones({5}, DType::f64)) <= 1e-3);  // eps beside a variance of a third
  CHECK_THAT(error_of([] { nn::LayerNorm(Shape{}); }), Contains("at least one axis"));
}

TEST_CASE("trainer: running statistics move once a step, and are kept and resumed", "[trainer]") {
  const auto run = [](Index epochs) {
    manual_seed(3);
    auto model = std::make_unique<Network>();
    optim::Adam adam(model->trainable_parameters(), {.lr = 0.01});
    nn::Trainer(*model, adam, nullptr, options(epochs)).fit(Data{}, Data{});
    return model;
  };
  const auto whole = run(2);
  CHECK(named(*whole, "bn.num_batches_tracked").item<std::int64_t>() == 6);
  CHECK(max_abs(named(*whole, "bn.running_mean")) > 0);

  manual_seed(3);
  Network first;
  std::atomic<bool> stop{false};
  optim::Adam adam(first.trainable_parameters(), {.lr = 0.01});
  nn::Trainer trainer(first, adam, nullptr, options(2, &stop));
  nn::TrainCallbacks callbacks;
  callbacks.on_step = [&](const nn::StepRecord& r) { stop = r.epoch == 2; };
  CHECK(trainer.fit(Data{}, Data{}, callbacks).interrupted);
  const TempFolder folder;
  nn::save_checkpoint(folder / "c.safetensors", trainer.state());
  Network second;
  optim::Adam other(second.trainable_parameters(), {.lr = 0.01});
  nn::Trainer resumed(second, other, nullptr, options(2));
  resumed.resume(nn::load_checkpoint(folder / "c.safetensors"));
  CHECK(named(second, "bn.num_batches_tracked").item<std::int64_t>() == 4);
  resumed.fit(Data{}, Data{});
  CHECK(same(second, copies(*whole)));
}

TEST_CASE("trainer: a batch with a bad loss moves no statistics", "[trainer]") {
  manual_seed(3);
  Network model;
  const auto before = copies(model);
  optim::Adam adam(model.trainable_parameters(), {.lr = 0.01});
  nn::Trainer trainer(model, adam, nullptr, options(1));
  CHECK_THAT(error_of([&] { trainer.fit(Data{1}, Data{}); }), Contains("step 2"));
  CHECK(same(model, before));
}

TEST_CASE("trainer: statistics of a frozen model stay, and those of a trained part move", "[trainer]") {
  const auto moved = [](auto freeze) {
    manual_seed(3);
    Network model;
    freeze(model);
    optim::Adam adam(model.trainable_parameters(), {.lr = 0.01});
    nn::Trainer(model, adam, nullptr, options(1)).fit(Data{}, Data{});
    return named(model, "bn.num_batches_tracked").item<std::int64_t>() > 0 || max_abs(named(model, "bn.running_mean")) > 0;
  };
  CHECK_FALSE(moved([](Network& model) { attach(model, LoraConfig{}); }));
  CHECK(moved([](Network& model) {
    attach(model, LoraConfig{});
    named(model, "bn.weight").requires_grad_(true);
  }));

  CHECK_FALSE(moved([](Network& model) {  // its bias alone, as with bias = all
    LoraConfig config;
    config.bias = TrainedBias::all;
    attach(model, config);
  }));

  const auto in_training = [](bool affine, bool frozen) {
    nn::BatchNormOptions plain;
    plain.affine = affine;
    nn::Sequential model;
    model.add<nn::Linear>(2, 2);
    const nn::BatchNorm2d& norm = model.add<nn::BatchNorm2d>(2, plain);
    model.requires_grad_(!frozen);
    nn::hold_frozen_statistics(model);
    return norm.training();
  };
  CHECK(in_training(true, false));
  CHECK(in_training(false, false));
  CHECK_FALSE(in_training(true, true));
  CHECK_FALSE(in_training(false, true));
}
