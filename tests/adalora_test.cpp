#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <set>

#include "core/autograd.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/view.hpp"
#include "lora/adalora_allocator.hpp"
#include "lora/lora.hpp"
#include "lora/peft_files.hpp"
#include "nn/optim/adam.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/ranked_models.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

AdaLoraConfig config_for(Index total_step, Index init_r = 4, Index target_r = 2) {
  AdaLoraConfig config;
  config.init_r = init_r;
  config.target_r = target_r;
  config.total_step = total_step;
  config.target_modules = ".*";
  return config;
}

struct Training : RankedTraining {
  using RankedTraining::RankedTraining;
  AdaLoraAllocator& allocator() const { return dynamic_cast<AdaLoraAllocator&>(*term); }
};

Index total(const AdaLoraAllocator& allocator) {
  Index sum = 0;
  for (const auto& [path, rank] : allocator.ranks()) {
    sum += rank;
  }
  return sum;
}

/// Components whose number E is not 0.
std::set<std::string> alive(const AttachedAdapter& adapter) {
  std::set<std::string> names;
  for (const auto& [path, layer] : adapter.layers()) {
    const auto gates = dynamic_cast<const GatedAdapter&>(*layer->adapter(adapter.name())).gate().to_vector<double>();
    for (std::size_t i = 0; i < gates.size(); ++i) {
      if (gates[i] != 0.0) {
        names.insert(path + " " + std::to_string(i));
      }
    }
  }
  return names;
}

/// Steps of plain gradient descent, which has no state of its own.
void descend(const Training& training, Index from, Index to) {
  for (Index step = from; step < to; ++step) {
    training.model->zero_grad();
    for (const Tensor& parameter : training.adapter.parameters()) {
      Tensor(parameter).set_grad({});
    }
    (cross_entropy((*training.model)(training.x), training.y) + training.term->loss()).backward();
    for (const Tensor& parameter : training.adapter.parameters()) {
      parameter.detach().copy_(parameter.detach() - 0.5 * parameter.grad());
    }
    training.term->after_step();
  }
}

void copy_weights(const Training& from, const Training& to) {
  to.model->load_state_dict(from.model->state_dict());
  const auto source = from.adapter.parameters();
  const auto target = to.adapter.parameters();
  for (std::size_t i = 0; i < source.size(); ++i) {
    target[i].detach().copy_(source[i].detach());
  }
}

}  // namespace

TEST_CASE("adalora: settings out of range are refused by name", "[adalora]") {
  struct Row {
    std::function<void(AdaLoraConfig&)> change;
    const char* text;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Row> rows{
      {[](AdaLoraConfig& c) { c.total_step = 0; }, "total_step"},
      {[](AdaLoraConfig& c) { c.total_step = -1; }, "total_step"},
      {[](AdaLoraConfig& c) { c.tinit = 10; }, "leave no step of 10"},
      {[](AdaLoraConfig& c) { c.tinit = 4, c.tfinal = 6; }, "leave no step of 10"},
      {[](AdaLoraConfig& c) { c.tfinal = 10; }, "leave no step of 10"},
      {[](AdaLoraConfig& c) { c.tinit = -1; }, "tinit"},
      {[](AdaLoraConfig& c) { c.tfinal = -1; }, "tfinal"},
      {[](AdaLoraConfig& c) { c.deltaT = 0; }, "deltaT"},
      {[](AdaLoraConfig& c) { c.init_r = 0; }, "init_r"},
      {[](AdaLoraConfig& c) { c.target_r = 0; }, "target_r"},
      {[](AdaLoraConfig& c) { c.target_r = 5; }, "target_r"},
      {[](AdaLoraConfig& c) { c.beta1 = 1.0; }, "beta1"},
      {[](AdaLoraConfig& c) { c.beta2 = 0.0; }, "beta2"},
      {[nan](AdaLoraConfig& c) { c.beta2 = nan; }, "beta2"},
      {[](AdaLoraConfig& c) { c.orth_reg_weight = -0.1; }, "orth_reg_weight"},
      {[nan](AdaLoraConfig& c) { c.lora_alpha = nan; }, "lora_alpha"},
      {[](AdaLoraConfig& c) { c.lora_dropout = 1.0; }, "lora_dropout"},
      {[](AdaLoraConfig& c) { c.target_modules = {}; }, "target_modules"},
      {[](AdaLoraConfig& c) {
         c.rank_pattern["0.lora_E"] = {true, false, true};
       },
       "0.lora_E has 3 components"},
  };
  const auto model = ranked_models().front().make();
  for (const Row& row : rows) {
    AdaLoraConfig config = config_for(10);
    row.change(config);
    CHECK_THAT(error_of([&] { attach(*model, config); }), Contains(row.text));
  }
}

TEST_CASE("adalora: the budget falls from all ranks to the target", "[adalora]") {
  AdaLoraConfig config = config_for(20, 6, 2);
  config.tinit = 3;
  config.tfinal = 4;
  const Training training(ranked_models().front(), config);
  const AdaLoraAllocator& allocator = training.allocator();
  for (Index t = 0; t < 40; ++t) {
    const Index budget = allocator.budget(t);
    CHECK(budget <= 12);
    CHECK(budget >= 4);
    CHECK((budget == 12) == (t <= 3));
    CHECK((budget == 4) == (t >= 10));  // 4 + 8 (6/13)^3 is below 5
    CHECK(allocator.budget(t + 1) <= budget);
  }
}

TEST_CASE("adalora: a training ends with the target rank, and what it pruned can be removed", "[adalora]") {
  for (const RankedModel& row : ranked_models()) {
    INFO(row.name);
    AdaLoraConfig config = config_for(12);
    config.tfinal = 3;
    const Training training(row, config);
    AdaLoraAllocator& allocator = training.allocator();
    const Index layers = static_cast<Index>(training.adapter.layers().size());
    const Index numel = training.adapter.numel();
    training.run(12, [&](Index step) {
      CHECK(allocator.settled() == (step >= 9));
      CHECK(total(allocator) == (step == 0 ? 4 * layers : allocator.budget(step)));
      CHECK(static_cast<Index>(alive(training.adapter).size()) == total(allocator));
    });
    CHECK(total(allocator) == 2 * layers);
    const Tensor before = training.logits();
    allocator.finish();
    // sums of up to 4 products, without those that were 0
    CHECK(max_difference(training.logits(), before) <= 1e-5 * max_abs(before));
    CHECK(training.adapter.numel() < numel);
    CHECK(total(allocator) == 2 * layers);
    const TempFolder folder;
    save_adapter(training.adapter, folder.path());
    const auto other = row.make();
    other->load_state_dict(training.model->state_dict());
    const AttachedAdapter loaded = load_adapter(*other, folder.path());
    CHECK(loaded.numel() == training.adapter.numel());
    CHECK(same_bits((*other)(training.x).detach(), training.logits()));
    CHECK(alive(loaded).size() == alive(training.adapter).size());
  }
}

TEST_CASE("adalora: pruned triplets can revive until the masks are fixed", "[adalora]") {
  AdaLoraConfig config = config_for(40, 2, 1);
  config.tfinal = 10;
  config.deltaT = 3;
  config.target_modules = {"0"};
  const Training training(ranked_models().front(), config);
  Tensor gates = training.adapter.parameters()[1];
  const auto step = [&](double first_gradient, double second_gradient) {
    gates.detach().fill_(0.5);  // as an optimizer may move them
    gates.set_grad(
        reshape(from_values(std::vector<float>{static_cast<float>(first_gradient), static_cast<float>(second_gradient)}, {2}), {2, 1}));
    training.term->after_step();
    return gates.to_vector<float>();
  };
  for (Index t = 0; t < 40; ++t) {
    INFO("step " << t);
    const std::vector<float> found = t < 15 ? step(0.1, 1.0) : t < 35 ? step(5.0, 0.1) : step(0.0, 9.0);
    if (t < 30 && t % 3 != 0) {
      CHECK(found == std::vector<float>{0.5f, 0.5f});
    } else if (t > 3 && t < 15) {
      CHECK(found == std::vector<float>{0.0f, 0.5f});
    } else if (t >= 21) {
      CHECK(found == std::vector<float>{0.5f, 0.0f});
    }
  }
}

TEST_CASE("adalora: a training goes on from its state to the same bits", "[adalora][determinism]") {
  for (const RankedModel& row : ranked_models()) {
    AdaLoraConfig config = config_for(10);
    config.tfinal = 2;
    manual_seed(3);
    const Training whole(row, config);
    for (const Index cut : {1, 6, 9}) {
      manual_seed(3);
      const Training first(row, config);
      descend(first, 0, cut);
      const Training second(row, config);
      copy_weights(first, second);
      second.term->load_state(first.term->state());
      CHECK(second.allocator().ranks() == first.allocator().ranks());
      CHECK(second.allocator().settled() == first.allocator().settled());
      descend(second, cut, 10);
      manual_seed(3);
      const Training again(row, config);
      descend(again, 0, 10);
      CHECK(second.allocator().ranks() == again.allocator().ranks());
      CHECK(same_bits(second.logits(), again.logits()));
    }
    CHECK_THAT(error_of([&] { whole.term->load_state({}); }), Contains("0 tensors"));
    NamedTensors state = whole.term->state();
    state.back().second = zeros({1});
    CHECK_THAT(error_of([&] { whole.term->load_state(state); }), Contains("uncertainty") && Contains("f32[1]"));
    state.back().first = "x";
    CHECK_THAT(error_of([&] { whole.term->load_state(state); }), Contains("lacks"));
  }
}

TEST_CASE("adalora: schedules of one step, one rank and one layer", "[adalora]") {
  for (const RankedModel& row : ranked_models()) {
    const bool grouped = row.name == "grouped Conv2d";
    AdaLoraConfig config = config_for(1, grouped ? 2 : 1, 1);
    config.target_modules = {"0"};
    const Training training(row, config);
    training.run(1);
    CHECK(training.allocator().settled());
    CHECK(training.allocator().ranks() == std::vector<std::pair<std::string, Index>>{{"0", 1}});
    CHECK(alive(training.adapter).size() == 1);
    training.run(2);  // more steps than were planned
    CHECK(alive(training.adapter).size() == 1);
    const Tensor before = training.logits();
    training.allocator().finish();
    CHECK(max_difference(training.logits(), before) <= 1e-6 * max_abs(before));
  }
}

TEST_CASE("adalora: a training that ends too early keeps all ranks", "[adalora]") {
  AdaLoraConfig config = config_for(20);
  for (const Index steps : {0, 1, 7}) {
    const Training training(ranked_models().front(), config);
    training.run(steps);
    const Tensor before = training.logits();
    const Index numel = training.adapter.numel();
    CHECK_FALSE(training.allocator().settled());
    training.allocator().finish();
    CHECK(total(training.allocator()) == 8);
    CHECK(training.adapter.numel() == numel);
    CHECK(same_bits(training.logits(), before));
  }
}

TEST_CASE("adalora: layers share what equal scores prune", "[adalora]") {
  AdaLoraConfig config = config_for(4, 5, 2);
  const Training training(ranked_models().front(), config);
  for (int step = 0; step < 4; ++step) {
    training.term->after_step();  // no gradients: all scores are 0
  }
  CHECK(training.allocator().ranks() == std::vector<std::pair<std::string, Index>>{{"0", 2}, {"2", 2}});
  training.allocator().finish();
  const auto& first = dynamic_cast<const GatedAdapter&>(*training.adapter.layers()[0].layer->adapter("default"));
  CHECK(first.kept() == std::vector<bool>{true, true, false, false, false});
}

TEST_CASE("adalora: scores that are no numbers are pruned first", "[adalora]") {
  AdaLoraConfig config = config_for(1, 2, 1);
  config.target_modules = {"0"};
  const Training training(ranked_models().front(), config);
  Tensor a = training.adapter.parameters()[0];
  Tensor gradient = ones({2, 5});
  gradient.mutable_data<float>()[0] = std::nanf("");
  a.set_grad(gradient);
  training.term->after_step();
  training.allocator().finish();
  CHECK(dynamic_cast<const GatedAdapter&>(*training.adapter.layers()[0].layer->adapter("default")).kept() ==
        std::vector<bool>{false, true});
}

TEST_CASE("adalora: a layer may lose all ranks", "[adalora]") {
  for (const RankedModel& row : ranked_models()) {
    const auto model = row.make();
    AdaLoraConfig config = config_for(4);
    config.rank_pattern["0.lora_E"] = {false, false, false, false};
    const Tensor base = (*model)(row.x()).detach();
    const AttachedAdapter adapter = attach(*model, config);
    for (Tensor& parameter : adapter.parameters()) {
      parameter.detach().fill_(0.5);
    }
    const Tensor y = (*model)(row.x());
    CHECK_FALSE(same_bits(y.detach(), base));
    AdaLoraAllocator allocator(adapter, config);
    (cross_entropy(y, row.y()) + allocator.loss()).backward();
    allocator.after_step();
    CHECK(allocator.ranks().front().second == 0);
    const TempFolder folder;
    save_adapter(adapter, folder.path());
    const Tensor before = (*model)(row.x()).detach();
    adapter.detach();
    load_adapter(*model, folder.path());
    CHECK(same_bits((*model)(row.x()).detach(), before));
    merge_adapters(*model);
    CHECK(max_difference((*model)(row.x()).detach(), before) <= 1e-5 * max_abs(before));
  }
}

TEST_CASE("adalora: the regulariser is the distance of A and B from orthonormal, with its gradient", "[adalora]") {
  const auto distance = [](const std::vector<std::vector<double>>& vectors) {
    double sum = 0;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      for (std::size_t j = 0; j < vectors.size(); ++j) {
        const double product = std::inner_product(vectors[i].begin(), vectors[i].end(), vectors[j].begin(), 0.0);
        sum += (product - (i == j ? 1.0 : 0.0)) * (product - (i == j ? 1.0 : 0.0));
      }
    }
    return std::sqrt(sum);
  };
  nn::Conv2d layer(4, 6, 2, {1, 0, 1, 2}, true, DType::f64);
  AdaLoraConfig config = config_for(4);
  config.orth_reg_weight = 0.7;
  const AttachedAdapter adapter = attach(layer, config);
  AdaLoraAllocator allocator(adapter, config);
  const auto a = adapter.parameters()[0].to_vector<double>(), b = adapter.parameters()[2].to_vector<double>();
  std::vector<std::vector<double>> rows(4), columns(4, std::vector<double>(6, 0.0));
  for (std::size_t i = 0; i < 4; ++i) {
    rows[i].assign(a.begin() + static_cast<std::ptrdiff_t>(16 * i), a.begin() + static_cast<std::ptrdiff_t>(16 * (i + 1)));
    for (std::size_t out = 0; out < 3; ++out) {  // component i acts on the outputs of group i / 2
      columns[i][3 * (i / 2) + out] = b[2 * (3 * (i / 2) + out) + i % 2];
    }
  }
  const double expected = 0.7 * (distance(rows) + distance(columns)) / 2;
  CHECK(std::abs(allocator.loss().item<double>() - expected) <= 1e-13);  // sums of 16 products near 1
  allocator.loss().backward();
  for (const std::size_t p : {0u, 2u}) {
    Tensor parameter = adapter.parameters()[p];
    const auto found = parameter.grad().to_vector<double>();
    for (std::size_t i = 0; i < found.size(); ++i) {
      double* value = parameter.mutable_data<double>() + i;
      const double center = *value;
      *value = center + 1e-6;
      const double above = allocator.loss().item<double>();
      *value = center - 1e-6;
      const double below = allocator.loss().item<double>();
      *value = center;
      CHECK(std::abs(found[i] - (above - below) / 2e-6) <= 1e-8);  // truncation 1e-12, rounding 1e-10
    }
  }
  config.orth_reg_weight = 0.0;
  CHECK_FALSE(AdaLoraAllocator(adapter, config).loss().defined());
}

TEST_CASE("adalora: only its own adapters can be allocated", "[adalora]") {
  nn::Linear layer(3, 2);
  const AttachedAdapter adapter = attach(layer, LoraConfig{.r = 2, .target_modules = ".*"});
  CHECK_THAT(error_of([&] { AdaLoraAllocator(adapter, config_for(2)); }), Contains("no gates"));
  CHECK(adapter.method().training(adapter) == nullptr);
}
