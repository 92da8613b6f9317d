#include <catch2/catch.hpp>
#include <cmath>
#include <memory>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "lora/lora.hpp"
#include "models/mlp.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"
#include "nn/module.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Names = std::vector<std::string>;

namespace {

/// A module with everything that can be registered.
class Counter final : public nn::Module {
 public:
  Counter() : scale_(param("scale", ones({2}))), steps_(buffer("steps", zeros({1}, DType::i64))) { child("inner", inner_); }
  Tensor forward(const Tensor& x) const override { return inner_(x) * scale_; }
  std::string describe() const override { return "Counter()"; }

 private:
  Tensor scale_, steps_;
  nn::Linear inner_{3, 2};
};

Names names(const std::vector<nn::NamedTensor>& entries) {
  Names out;
  for (const auto& [name, tensor] : entries) {
    out.push_back(name);
  }
  return out;
}

std::vector<Tensor> copies(const nn::Module& model) {
  std::vector<Tensor> out;
  for (const auto& [name, tensor] : model.state_dict()) {
    out.push_back(clone(tensor.detach()));
  }
  return out;
}

bool unchanged(const nn::Module& model, const std::vector<Tensor>& before) {
  const auto now = model.state_dict();
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (!same_bits(now[i].tensor, before[i])) {
      return false;
    }
  }
  return now.size() == before.size();
}

}  // namespace

TEST_CASE("nn: parameters and buffers have dotted names in order of registration", "[nn]") {
  Counter model;
  CHECK(names(model.named_parameters()) == Names{"scale", "inner.weight", "inner.bias"});
  CHECK(names(model.named_buffers()) == Names{"steps"});
  CHECK(names(model.state_dict()) == Names{"scale", "inner.weight", "inner.bias", "steps"});
  CHECK(model.trainable_parameters().size() == 3);
  Names modules;
  for (const auto& [name, module] : model.named_modules()) {
    modules.push_back(name + ":" + module->describe());
  }
  CHECK(modules == Names{":Counter()", "inner:Linear(3, 2)"});
  CHECK(nn::Linear(3, 2, false).describe() == "Linear(3, 2, bias=false)");
}

TEST_CASE("nn: the tensors are handles on the module's own", "[nn]") {
  nn::Linear layer(2, 1);
  const NoGrad no_grad;
  for (auto& [name, tensor] : layer.named_parameters()) {
    Tensor handle = tensor;
    handle.fill_(name == "weight" ? 2.0 : 1.0);
  }
  CHECK(layer(ones({1, 2})).item<float>() == 5.0f);
}

TEST_CASE("nn: a state dict is copied in, converted to the module's types", "[nn]") {
  Counter from, model;
  nn::StateDict state;
  for (const auto& [name, tensor] : from.state_dict()) {
    state.push_back({name, to(tensor.detach(), tensor.dtype() == DType::f32 ? DType::f64 : DType::i32)});
  }
  const auto storage = model.named_parameters()[1].tensor.storage();
  model.load_state_dict(state);
  CHECK(unchanged(model, copies(from)));
  CHECK(model.named_parameters()[1].tensor.storage() == storage);
  CHECK(model.trainable_parameters().size() == 3);
  model.load_state_dict(model.state_dict());
  CHECK(unchanged(model, copies(from)));
}

TEST_CASE("nn: a state dict that does not fit is an error that lists everything and changes nothing", "[nn]") {
  Counter model;
  const auto before = copies(model);
  const nn::StateDict wrong{
      {"scale", zeros({2})}, {"inner.weight", zeros({3, 2})}, {"inner.wait", zeros({2})}, {"steps", zeros({1}, DType::i64)}};
  const std::string error = error_of([&] { model.load_state_dict(wrong); });
  CHECK_THAT(error, Contains("Counter()") && Contains("missing: inner.bias f32[2]@cpu") && Contains("unexpected: inner.wait f32[2]@cpu"));
  CHECK_THAT(error, Contains("wrong shape: inner.weight") && Contains("f32[2,3]@cpu") && Contains("f32[3,2]@cpu"));
  CHECK(unchanged(model, before));
  nn::StateDict twice = model.state_dict();
  twice.push_back(twice.front());
  CHECK_THAT(error_of([&] { model.load_state_dict(twice); }), Contains("scale occurs twice"));
  nn::StateDict undefined = model.state_dict();
  undefined.back().tensor = {};
  CHECK(error_of([&] { model.load_state_dict(undefined); }) != "no error");
  CHECK(unchanged(model, before));
}

TEST_CASE("nn: train and eval reach all modules", "[nn]") {
  Counter model;
  const auto count = [&] {
    int on = 0;
    for (const auto& entry : model.named_modules()) {
      on += entry.second->training() ? 1 : 0;
    }
    return on;
  };
  CHECK(count() == 2);
  model.eval();
  CHECK(count() == 0);
  model.train();
  CHECK(count() == 2);
}

TEST_CASE("nn: Sequential runs its modules in order and numbers them", "[nn]") {
  nn::Sequential model;
  nn::Linear& first = model.add<nn::Linear>(4, 3);
  model.add<nn::ReLU>();
  nn::Linear& last = model.add<nn::Linear>(3, 2, false);
  CHECK(names(model.state_dict()) == Names{"0.weight", "0.bias", "2.weight"});
  const Tensor x = to(random({5, 4}), DType::f32);
  CHECK(same_bits(model(x), last(relu(first(x)))));
  CHECK(same_bits(nn::Sequential()(x), x));
  CHECK(nn::Flatten()(zeros({2, 3, 4})).shape() == Shape{2, 12});
  CHECK(nn::Flatten()(zeros({0, 3, 4})).shape() == Shape{0, 12});
}

TEST_CASE("nn: Dropout acts in training only", "[nn]") {
  nn::Dropout layer(0.5);
  const Tensor x = ones({1000});
  manual_seed(3);
  const Tensor dropped = layer(x);
  CHECK_FALSE(same_bits(dropped, x));
  manual_seed(3);
  CHECK(same_bits(dropped, dropout(x, 0.5)));
  layer.eval();
  const PhiloxState state = default_generator().state();
  CHECK(same_bits(layer(x), x));
  CHECK(default_generator().state() == state);
  CHECK_THAT(error_of([] { nn::Dropout(1.0); }), Contains("Dropout") && Contains("got 1"));
  CHECK_THAT(error_of([] { nn::Dropout(std::nan("")); }), Contains("Dropout"));
}

TEST_CASE("nn: Linear is a sum of products", "[nn]") {
  for (const bool bias : {true, false}) {
    const nn::Linear layer(7, 5, bias, DType::f64);
    const Tensor x = random({2, 3, 7});
    const auto w = layer.weight().to_vector<double>();
    const auto in = x.to_vector<double>();
    const auto b = bias ? layer.bias().to_vector<double>() : std::vector<double>(5, 0.0);
    std::vector<double> y;
    for (std::size_t row = 0; row < 6; ++row) {
      for (std::size_t o = 0; o < 5; ++o) {
        double total = b[o];
        for (std::size_t i = 0; i < 7; ++i) {
          total += in[row * 7 + i] * w[o * 7 + i];
        }
        y.push_back(total);
      }
    }
    CHECK(max_difference(layer(x), from_values(y, {2, 3, 5})) <= 1e-15 * 16);  // sums of 8 terms below 1: some ulp
    CHECK(layer(zeros({0, 7}, DType::f64)).shape() == Shape{0, 5});
  }
  const nn::Linear layer(7, 5);
  CHECK_THAT(error_of([&] { (void)layer(zeros({2, 6})); }), Contains("[linear]") && Contains("f32[2,6]@cpu") && Contains("f32[5,7]@cpu"));
  CHECK_THAT(error_of([] { nn::Linear(-1, 2); }), Contains("negative"));
}

TEST_CASE("nn: Linear starts uniform in 1/sqrt(in), drawn from the default generator", "[nn]") {
  manual_seed(8);
  const nn::Linear a(100, 50);
  manual_seed(8);
  const nn::Linear b(100, 50);
  CHECK(same_bits(a.weight(), b.weight()));
  CHECK(same_bits(a.bias(), b.bias()));
  CHECK(max_abs(a.weight()) <= 0.1);
  CHECK(max_abs(a.weight()) > 0.099);  // one of 5000 in the last percent, but for e^-50
  CHECK_FALSE(same_bits(narrow(a.weight(), 0, 0, 1), reshape(narrow(nn::Linear(100, 50).weight(), 0, 0, 1), {1, 100})));
}

TEST_CASE("nn: adapters are trainable parameters, but not part of the state dict", "[nn]") {
  models::Mlp model;
  const Names before = names(model.state_dict());
  CHECK(model.trainable_parameters().size() == 6);
  LoraConfig config;
  config.r = 2;
  config.target_modules = {"fc1", "fc3"};
  const AttachedAdapter adapter = attach(model, config);
  CHECK(names(model.state_dict()) == before);
  CHECK(model.trainable_parameters().size() == 4);
  adapter.set_active(false);
  CHECK(model.trainable_parameters().empty());
  adapter.set_active(true);
  merge_adapters(model);
  CHECK(model.trainable_parameters().empty());
  unmerge_adapters(model);
  model.requires_grad_(true);
  CHECK(model.trainable_parameters().size() == 10);
}

TEST_CASE("nn: zero_grad drops all gradients, of frozen parameters too", "[nn]") {
  nn::Linear layer(2, 2);
  sum(layer(ones({1, 2}))).backward();
  CHECK(layer.weight().grad().defined());
  layer.requires_grad_(false);
  layer.zero_grad();
  CHECK_FALSE(layer.weight().grad().defined());
  CHECK_FALSE(layer.bias().grad().defined());
}

TEST_CASE("nn: Mlp has PyTorch's names and 55,050 parameters", "[nn]") {
  const models::Mlp model;
  CHECK(names(model.state_dict()) == Names{"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias", "fc3.weight", "fc3.bias"});
  Index total = 0;
  for (const Tensor& tensor : model.parameters()) {
    total += tensor.numel();
  }
  CHECK(total == 55'050);
  CHECK(model.describe() == "Mlp(784, 64, 64, 10)");
  CHECK(model(zeros({3, 1, 28, 28})).shape() == Shape{3, 10});
  CHECK(model(zeros({0, 1, 28, 28})).shape() == Shape{0, 10});
  CHECK_THAT(error_of([&] { (void)model(zeros({3, 1, 28, 27})); }), Contains("f32[3,756]@cpu"));
}
