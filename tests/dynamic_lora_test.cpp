#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "lora/dynamic_allocator.hpp"
#include "lora/peft_files.hpp"
#include "nn/optim/adam.hpp"
#include "nn/trainer.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/ranked_models.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

using Ranks = std::vector<std::pair<std::string, Index>>;

DynamicLoraConfig config_for(Index total_step, Index start_r = 4, Index r = 2) {
  DynamicLoraConfig config;
  config.r = r;
  config.start_r = start_r;
  config.total_step = total_step;
  config.target_modules = ".*";
  return config;
}

struct Training : RankedTraining {
  using RankedTraining::RankedTraining;
  DynamicAllocator& allocator() const { return dynamic_cast<DynamicAllocator&>(*term); }
  const GatedAdapter& gated(std::size_t layer) const {
    return dynamic_cast<const GatedAdapter&>(*adapter.layers()[layer].layer->adapter("default"));
  }
};

Index total(const DynamicAllocator& allocator) {
  Index sum = 0;
  for (const auto& [path, rank] : allocator.ranks()) {
    sum += rank;
  }
  return sum;
}

/// The same batch again and again.
struct Again {
  Tensor x, y;
  Index batches() const { return 5; }
  Index samples() const { return 5 * x.size(0); }
  nn::Batch batch(Index, Index) const { return {x, y}; }
};

}  // namespace

TEST_CASE("dynamic: settings out of range are refused by name", "[dynamic]") {
  struct Row {
    std::function<void(DynamicLoraConfig&)> change;
    const char* text;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Row> rows{
      {[](DynamicLoraConfig& c) { c.total_step = 0; }, "total_step"},
      {[](DynamicLoraConfig& c) { c.r = 0; }, "r must be"},
      {[](DynamicLoraConfig& c) { c.r = 5; }, "at most start_r, got 5 and 4"},
      {[](DynamicLoraConfig& c) { c.start_r = -1; }, "start_r"},
      {[](DynamicLoraConfig& c) { c.prune_start = 0.6; }, "prune_start"},
      {[](DynamicLoraConfig& c) { c.prune_end = 1.1; }, "prune_end"},
      {[nan](DynamicLoraConfig& c) { c.prune_start = nan; }, "prune_start"},
      {[](DynamicLoraConfig& c) { c.prune_interval = 0; }, "prune_interval"},
      {[](DynamicLoraConfig& c) { c.beta = 1.0; }, "beta"},
      {[](DynamicLoraConfig& c) { c.dem_weight = -1.0; }, "dem_weight"},
      {[nan](DynamicLoraConfig& c) { c.lora_alpha = nan; }, "lora_alpha"},
      {[](DynamicLoraConfig& c) { c.lora_dropout = -0.1; }, "lora_dropout"},
      {[](DynamicLoraConfig& c) { c.target_modules = {}; }, "target_modules"},
      {[](DynamicLoraConfig& c) { c.rank_pattern["2.lora_c"] = {true}; }, "2.lora_c has 1 components"},
  };
  const auto model = ranked_models().front().make();
  for (const Row& row : rows) {
    DynamicLoraConfig config = config_for(10);
    row.change(config);
    CHECK_THAT(error_of([&] { attach(*model, config); }), Contains(row.text));
  }
}

TEST_CASE("dynamic: layers start with half as many ranks again", "[dynamic]") {
  for (const auto& [r, start] : std::vector<std::pair<Index, Index>>{{1, 2}, {2, 3}, {3, 5}, {8, 12}}) {
    DynamicLoraConfig config = config_for(10, 0, r);
    CHECK(config.start_rank() == start);
    nn::Linear layer(5, 4);
    const AttachedAdapter adapter = attach(layer, config);
    CHECK(adapter.parameters()[0].shape() == Shape{start, 5});
    // six standard deviations of uniform numbers' extremes would not do: bounds are exact
    CHECK(max_abs(adapter.parameters()[0]) <= std::sqrt(6.0 / 5.0) * (1 + 1e-6));
    CHECK(max_abs(adapter.parameters()[2]) <= std::sqrt(6.0 / static_cast<double>(start)) * (1 + 1e-6));
    CHECK(max_abs(adapter.parameters()[0]) > 0.5);
  }
}

TEST_CASE("dynamic: pruning runs from 15 to 50 per cent of the steps", "[dynamic]") {
  const Training training(ranked_models().front(), config_for(100, 6, 2));
  const DynamicAllocator& allocator = training.allocator();
  for (Index t = 0; t < 120; ++t) {
    const double done = static_cast<double>(t - 15) / 35.0;
    const Index expected = t < 15 ? 0 : t >= 50 ? 8 : static_cast<Index>(8 * done * done * done);
    CHECK(allocator.pruned(t) == expected);
  }
}

TEST_CASE("dynamic: a training ends with the target rank, and a saved folder gives the same bits", "[dynamic]") {
  for (const RankedModel& row : ranked_models()) {
    INFO(row.name);
    const Training training(row, config_for(20));
    DynamicAllocator& allocator = training.allocator();
    const Index layers = static_cast<Index>(training.adapter.layers().size());
    const Index numel = training.adapter.numel();
    training.run(20, [&](Index step) {
      CHECK(allocator.settled() == (step >= 10));
      CHECK(total(allocator) == 4 * layers - allocator.pruned(step));
      CHECK(training.term->loss().defined() == (step < 10));
    });
    CHECK(total(allocator) == 2 * layers);
    const Tensor before = training.logits();
    allocator.finish();
    // sums of up to 4 products, without those that were 0
    CHECK(max_difference(training.logits(), before) <= 1e-5 * max_abs(before));
    CHECK(training.adapter.numel() < numel);
    const TempFolder folder;
    save_adapter(training.adapter, folder.path());
    const auto other = row.make();
    other->load_state_dict(training.model->state_dict());
    const AttachedAdapter loaded = load_adapter(*other, folder.path());
    CHECK(loaded.method().peft_type() == "DYNAMIC_LORA");
    CHECK(loaded.numel() == training.adapter.numel());
    CHECK(same_bits((*other)(training.x).detach(), training.logits()));
  }
}

TEST_CASE("dynamic: the score is the smoothed share in the layer's update", "[dynamic]") {
  for (const Index groups : {1, 2}) {
    nn::Conv2d layer(4, 6, 2, {1, 0, 1, groups}, true, DType::f64);
    const AttachedAdapter adapter = attach(layer, config_for(100));
    DynamicAllocator allocator(adapter, config_for(100));
    const auto& gated = dynamic_cast<const GatedAdapter&>(*layer.adapter("default"));
    Tensor gate = gated.gate().detach();
    gate.copy_(random({4, 1}));
    // by definition: the weight of each component alone, and of all
    const Tensor zero = zeros(layer.spread(layer.weight()).shape(), DType::f64);
    const Tensor all = gated.merged_weight(layer, zero).detach();
    std::vector<double> expected;
    for (Index i = 0; i < 4; ++i) {
      const Tensor kept = clone(gate);
      for (Index j = 0; j < 4; ++j) {
        gate.mutable_data<double>()[j] = j == i ? kept.to_vector<double>()[static_cast<std::size_t>(j)] : 0.0;
      }
      const Tensor alone = gated.merged_weight(layer, zero).detach();
      expected.push_back(0.1 * norm(alone).item<double>() / norm(all).item<double>());  // 1e-8 of the scaling aside
      gate.copy_(kept);
    }
    allocator.after_step();
    for (const auto& [name, tensor] : allocator.state()) {
      if (name == ".score") {
        const auto found = tensor.to_vector<double>();
        for (std::size_t i = 0; i < 4; ++i) {
          CHECK(std::abs(found[i] - expected[i]) <= 1e-8);
          CHECK(found[i] > 1e-6);
        }
      }
    }
    CHECK(allocator.state().back().first == ".score");
  }
}

TEST_CASE("dynamic: pruned components can grow back until the ranks are final", "[dynamic]") {
  DynamicLoraConfig config = config_for(40, 2, 1);
  config.beta = 0.0;
  config.prune_interval = 2;
  config.target_modules = {"0"};
  const Training training(ranked_models().front(), config);
  Tensor gates = training.adapter.parameters()[1].detach();
  const auto step = [&](float first, float second) {
    gates.copy_(from_values(std::vector<float>{first, second}, {2, 1}));  // as an optimizer may move them
    training.term->after_step();
    return gates.to_vector<float>();
  };
  for (Index t = 0; t < 40; ++t) {
    INFO("step " << t);
    const bool first = t % 4 < 2 || t == 20;
    const std::vector<float> moved = first ? std::vector<float>{9, 1} : std::vector<float>{1, 9};
    const std::vector<float> found = step(moved[0], moved[1]);
    if (t < 20) {
      CHECK(found == moved);  // 1 ((t - 6) / 14)^3 is below 1
    } else {
      CHECK(found == std::vector<float>{moved[0], 0});
    }
  }
}

TEST_CASE("dynamic: schedules of one step and one rank, and trainings that end too early", "[dynamic]") {
  for (const RankedModel& row : ranked_models()) {
    DynamicLoraConfig config = config_for(1, 2, 1);
    config.target_modules = {"0"};
    const Training training(row, config);
    training.run(1);
    CHECK(training.allocator().settled());
    CHECK(training.allocator().ranks() == Ranks{{"0", 1}});
    const Training early(row, config_for(20));
    early.run(5);
    const Tensor before = early.logits();
    early.allocator().finish();
    CHECK(total(early.allocator()) == 4 * static_cast<Index>(early.adapter.layers().size()));
    CHECK(same_bits(early.logits(), before));
  }
  const Training none(ranked_models().front(), config_for(4, 3, 3));
  none.run(4);
  CHECK(none.allocator().ranks() == Ranks{{"0", 3}, {"2", 3}});
}

TEST_CASE("dynamic: layers share what equal scores prune", "[dynamic]") {
  const Training training(ranked_models().front(), config_for(2, 5, 2));
  training.term->after_step();
  training.term->after_step();  // all c are 0, and so are the scores
  CHECK(training.allocator().ranks() == Ranks{{"0", 2}, {"2", 2}});
}

TEST_CASE("dynamic: the regulariser is the mean variance of rows and columns", "[dynamic]") {
  nn::Linear layer(3, 2, true, DType::f64);
  DynamicLoraConfig config = config_for(10, 2, 1);
  config.dem_weight = 0.4;
  const AttachedAdapter adapter = attach(layer, config);
  const DynamicAllocator allocator(adapter, config);
  adapter.parameters()[0].detach().copy_(from_values(std::vector<double>{1, 2, 3, 0, 0, 6}, {2, 3}));
  adapter.parameters()[2].detach().copy_(from_values(std::vector<double>{1, 5, 3, 5}, {2, 2}));
  // variances 1 and 12 of rows, 2 and 0 of columns
  CHECK(std::abs(allocator.loss().item<double>() - 0.4 * 15.0 / 4.0) <= 1e-14);
  allocator.loss().backward();
  const auto gradient = adapter.parameters()[0].grad().to_vector<double>();
  CHECK(std::abs(gradient[0] - 0.1 * -1.0) <= 1e-14);  // d var / d x_i = 2 (x_i - mean) / (n - 1)
  CHECK(std::abs(gradient[5] - 0.1 * 4.0) <= 1e-14);
  nn::Linear one(1, 1, true, DType::f64);
  const AttachedAdapter single = attach(one, config);
  CHECK(DynamicAllocator(single, config).loss().item<double>() == 0.0);
  config.dem_weight = 0.0;
  CHECK_FALSE(DynamicAllocator(adapter, config).loss().defined());
}

TEST_CASE("dynamic: the trainer keeps weights with final ranks, which restoring puts back", "[dynamic][trainer]") {
  for (const RankedModel& row : ranked_models()) {
    INFO(row.name);
    const Training training(row, config_for(20));
    optim::AdamW optimizer(training.model->trainable_parameters(), {.lr = 0.5});  // wild: some epochs are worse
    nn::TrainOptions options;
    options.epochs = 4;
    options.classes = 3;
    options.terms = {training.term.get()};
    nn::Trainer trainer(*training.model, optimizer, nullptr, options);
    const Again data{training.x, training.y};
    std::vector<Ranks> ranks;
    nn::TrainCallbacks callbacks;
    callbacks.on_epoch = [&](const nn::EpochRecord&) { ranks.push_back(training.allocator().ranks()); };
    const nn::TrainResult result = trainer.fit(data, data, callbacks);
    CHECK(result.best_epoch >= 3);  // final after 11 steps
    CHECK(training.allocator().ranks() == ranks[static_cast<std::size_t>(result.best_epoch - 1)]);
    training.allocator().finish();
    for (std::size_t i = 0; i < training.adapter.layers().size(); ++i) {
      const Index rank = training.allocator().ranks()[i].second;
      CHECK(training.gated(i).rank() >= rank);
      CHECK(training.gated(i).rank() < (row.name == "grouped Conv2d" ? rank + 4 : rank + 1));
    }
  }
}
