// Models, optimizers and training on a GPU: what moves with Module::to(), and that results are those of the CPU. Without CUDA, in this
// build or on this machine, the tests that need it have nothing to run on.

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <vector>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/index.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ranges.hpp"
#include "lora/lora.hpp"
#include "lora/quantize_weights.hpp"
#include "nn/attention.hpp"
#include "nn/batch_norm.hpp"
#include "nn/conv2d.hpp"
#include "nn/embedding.hpp"
#include "nn/layer_norm.hpp"
#include "nn/linear.hpp"
#include "nn/optim/adam.hpp"
#include "nn/optim/sgd.hpp"
#include "nn/overlay.hpp"
#include "tests/support/devices.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/optim.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

/// A convolution, a normalisation with statistics, and a linear layer.
class Small final : public nn::Module {
 public:
  Small() {
    child("conv", conv_);
    child("norm", norm_);
    child("linear", linear_);
  }
  Tensor forward(const Tensor& x) const override { return linear_(mean(relu(norm_(conv_(x))), {2, 3})); }
  std::string describe() const override { return "Small"; }
  nn::Linear& linear() { return linear_; }

 private:
  nn::Conv2d conv_{2, 4, 3, {1, 1}};
  nn::BatchNorm2d norm_{4};
  nn::Linear linear_{4, 3};
};

std::unique_ptr<Small> small() {
  manual_seed(5);
  return std::make_unique<Small>();
}

/// All tensors of a model, its adapters' included.
std::vector<Tensor> tensors_of(const nn::Module& model) {
  std::vector<Tensor> all = model.trainable_parameters();
  for (const nn::NamedTensor& entry : model.state_dict()) {
    if (entry.name.find("quant_state") == std::string::npos) {  // JSON, which stays where it was written
      all.push_back(entry.tensor);
    }
  }
  return all;
}

Tensor images() { return to(random({2, 2, 5, 5}), DType::f32); }

bool all_on(const nn::Module& model, const Device& device) {
  bool there = true;
  for (const Tensor& tensor : tensors_of(model)) {
    there = there && tensor.device() == device;
  }
  return there;
}

bool same_values(const nn::Module& a, const nn::Module& b) {
  const std::vector<Tensor> x = tensors_of(a), y = tensors_of(b);
  bool same = x.size() == y.size();
  for (std::size_t i = 0; same && i < x.size(); ++i) {
    same = same_bits(x[i], y[i]);
  }
  return same;
}

}  // namespace

TEST_CASE("device: moving to where a model is changes nothing", "[device]") {
  const auto model = small();
  std::vector<const void*> before, after;
  for (const Tensor& tensor : tensors_of(*model)) {
    before.push_back(tensor.view().data);
  }
  model->to(kCpu);
  for (const Tensor& tensor : tensors_of(*model)) {
    after.push_back(tensor.view().data);
  }
  CHECK(before == after);
  CHECK(model->device() == kCpu);
}

TEST_CASE("device: a model moves with parameters, buffers, gradients and handles", "[device][cuda]") {
  for (const Device& device : other_devices()) {
    const auto model = small(), reference = small();
    const Tensor weight = model->linear().weight();
    sum((*model)(images())).backward();
    const Tensor gradient = weight.grad();
    model->to(device);
    CHECK(all_on(*model, device));
    CHECK(model->device() == device);
    CHECK(same_values(*model, *reference));
    CHECK((weight.device() == device && weight.requires_grad() && weight.is_leaf()));
    CHECK((weight.grad().device() == device && same_bits(weight.grad(), gradient)));
    model->to(kCpu);
    CHECK(all_on(*model, kCpu));
    CHECK(same_values(*model, *reference));
  }
}

TEST_CASE("device: adapters, their own biases and weights of 4 bits move along", "[device][cuda]") {
  for (const Device& device : other_devices()) {
    const auto model = small();
    quantize_weights(*model, {QuantType::nf4, 32, true, {"linear"}, {}});
    LoraConfig config;
    config.r = 2;
    config.target_modules = {"conv", "linear"};
    config.bias = TrainedBias::all;
    const AttachedAdapter adapter = attach(*model, config);
    const AttachedAdapter other = attach(
        *model,
        [&] {
          LoraConfig second;
          second.target_modules = {"linear"};
          return second;
        }(),
        "other");
    other.set_active(false);
    const Tensor x = images(), y = model->forward(x).detach();
    model->to(device);
    CHECK(all_on(*model, device));
    for (const Tensor& tensor : other.parameters()) {
      CHECK(tensor.device() == device);  // though it does not act
    }
    CHECK(relative_distance(model->forward(to(x, device)), y) <= 1e-5);
    adapter.set_active(false);
    adapter.set_active(true);
    CHECK(all_on(*model, device));
    CHECK(relative_distance(model->forward(to(x, device)), y) <= 1e-5);
    CHECK(model->trainable_parameters().size() == adapter.parameters().size());
  }
}

TEST_CASE("device: a merged model moves and can be unmerged, unless its weight was changed", "[device][cuda]") {
  for (const Device& device : other_devices()) {
    const auto model = small(), reference = small();
    LoraConfig config;
    config.r = 2;
    config.target_modules = {"linear"};
    const AttachedAdapter adapter = attach(*model, config);
    {
      const NoGrad no_grad;
      adapter.parameters()[1].detach().fill_(0.25);
    }
    merge_adapters(*model);
    model->to(device);
    CHECK(all_on(*model, device));
    unmerge_adapters(*model);
    adapter.detach();
    CHECK(all_on(*model, device));
    CHECK(same_values(*model, *reference) == false);  // nothing trains any more, so the lists differ
    CHECK(same_bits(model->linear().weight(), reference->linear().weight()));

    const AttachedAdapter again = attach(*model, config);
    again.parameters()[1].detach().fill_(0.25);
    merge_adapters(*model);
    model->linear().weight().detach().fill_(0.0);
    model->to(kCpu);
    CHECK_THROWS_WITH(unmerge_adapters(*model), Contains("changed after merge()"));
  }
}

TEST_CASE("device: what is loaded goes to where the model is", "[device][cuda]") {
  for (const Device& device : other_devices()) {
    const auto model = small(), source = small();
    for (Tensor tensor : source->parameters()) {
      tensor.detach().fill_(0.5);
    }
    model->to(device);
    model->load_state_dict(source->state_dict());
    CHECK(all_on(*model, device));
    CHECK(same_values(*model, *source));
    quantize_weights(*source, {QuantType::fp4, 32, false, {"linear"}, {}});
    model->load_state_dict(source->state_dict());
    CHECK(model->linear().packed() != nullptr);
    CHECK(all_on(*model, device));
    model->load_state_dict(small()->state_dict());
    CHECK(model->linear().packed() == nullptr);
    CHECK(all_on(*model, device));
  }
}

TEST_CASE("device: wrong targets and indices are named on a GPU too", "[device][cuda]") {
  for (const Device& device : other_devices()) {
    const Tensor logits = zeros({2, 3}, DType::f32, device), index = to(from_values(std::vector<std::int64_t>{0, 3}, {2}), device);
    CHECK_THROWS_WITH(cross_entropy(logits, index), Contains("target 3 in row 1"));
    CHECK_THROWS_WITH(index_select(logits, 1, index), Contains("index 3 at position [1]"));
    CHECK_THROWS_WITH(cross_entropy(logits, to(index, kCpu)), Contains("different devices"));
    CHECK_THROWS_WITH(logits + zeros({2, 3}), Contains("different devices"));
  }
}

TEST_CASE("device: factories give what they give on the CPU", "[device][cuda]") {
  for (const Device& device : other_devices()) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      Generator here(3), there(3);
      CHECK(same_bits(uniform({1027}, -0.3, 1.1, dtype, there, device), uniform({1027}, -0.3, 1.1, dtype, here)));
      const double rounding = dtype == DType::f32 ? 1e-6 : 1e-14;  // of a logarithm, a root and a sine
      CHECK(relative_distance(randn({1027}, dtype, there, device), randn({1027}, dtype, here)) <= rounding);
      CHECK(here.state() == there.state());
      CHECK(same_bits(eye(3, dtype, device), eye(3, dtype)));
      CHECK(same_bits(linspace(0, 1, 5, dtype, device), linspace(0, 1, 5, dtype)));
      CHECK(same_bits(arange(0, 7, 2, dtype, device), arange(0, 7, 2, dtype)));
    }
  }
}

TEST_CASE("device: optimizers do on a GPU what they do on the CPU, and their states go both ways", "[device][cuda]") {
  optim::AdamWOptions amsgrad;
  amsgrad.amsgrad = true;
  optim::SGDOptions momentum;
  momentum.momentum = 0.9;
  momentum.nesterov = true;
  using Make = std::function<std::unique_ptr<optim::Optimizer>(const std::vector<Tensor>&)>;
  const std::vector<Make> makers{
      [](const std::vector<Tensor>& p) { return std::make_unique<optim::Adam>(p); },
      [&](const std::vector<Tensor>& p) { return std::make_unique<optim::AdamW>(p, amsgrad); },
      [&](const std::vector<Tensor>& p) { return std::make_unique<optim::SGD>(p, momentum); },
  };
  for (const Device& device : other_devices()) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (const Make& make : makers) {
        std::vector<Tensor> here, there;
        for (const Shape& shape : {Shape{33}, Shape{3, 5}, Shape{}}) {
          here.push_back(to(random(shape), dtype).requires_grad_());
          there.push_back(clone(here.back().detach()).requires_grad_().to_(device));
        }
        const auto first = make(here);
        auto second = make(there);
        for (int k = 0; k < 6; ++k) {
          step_with(*first, k);
          for (std::size_t i = 0; i < there.size(); ++i) {
            there[i].set_grad(to(here[i].grad(), device));
          }
          second->step();
          if (k == 2) {  // as from a file, and from the other device
            second = make(there);
            second->load_state(first->state());
          }
        }
        for (std::size_t i = 0; i < here.size(); ++i) {
          CHECK(there[i].device() == device);
          CHECK(relative_distance(there[i], here[i]) <= (dtype == DType::f32 ? 1e-6 : 1e-14));  // some roundings a step
        }
      }
    }
  }
}

TEST_CASE("device: layers give on a GPU what they give on the CPU", "[device][cuda]") {
  struct Row {
    const char* name;
    std::function<std::unique_ptr<nn::Module>()> make;
    Tensor x;
  };
  const Tensor words = from_values(std::vector<std::int64_t>{3, 0, 6, 3, 1, 0}, {2, 3});
  const DType dtype = DType::f64;
  const std::vector<Row> rows{
      {"LayerNorm",
       [=] {
         return std::make_unique<nn::LayerNorm>(Shape{3, 5}, 1e-5, true, dtype);
       },
       random({4, 3, 5})},
      {"BatchNorm2d", [=] { return std::make_unique<nn::BatchNorm2d>(3, nn::BatchNormOptions{}, dtype); }, random({4, 3, 2, 5})},
      {"Embedding", [=] { return std::make_unique<nn::Embedding>(7, 5, 0, dtype); }, words},
      {"MultiheadAttention", [=] { return std::make_unique<nn::MultiheadAttention>(6, 2, nn::MultiheadAttentionOptions{}, dtype); },
       random({5, 3, 6})},
      {"grouped Conv2d",
       [=] {
         return std::make_unique<nn::Conv2d>(4, 6, 3, Conv2dOptions{2, 1, 1, 2}, true, dtype);
       },
       random({2, 4, 7, 5})},
  };
  for (const Device& device : other_devices()) {
    for (const Row& row : rows) {
      INFO(row.name);
      manual_seed(9);
      const auto here = row.make();
      manual_seed(9);
      const auto there = row.make();
      there->to(device);
      for (const bool training : {true, false}) {
        here->train(training);
        there->train(training);
        const Tensor y = (*here)(row.x), found = (*there)(to(row.x, device)), cotangent = random(y.shape());
        CHECK(relative_distance(found, y) <= 1e-10);  // f64: sums in another order
        sum(y * cotangent).backward();
        sum(found * to(cotangent, device)).backward();
        for (std::size_t i = 0; i < here->parameters().size(); ++i) {
          CHECK(relative_distance(there->parameters()[i].grad(), here->parameters()[i].grad()) <= 1e-10);
        }
      }
    }
  }
}
