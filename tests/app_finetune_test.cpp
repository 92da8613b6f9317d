// The tuning of single digits from end to end, on a small data set.

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/finetune_report.hpp"
#include "apps/mnist_lora/hold_base.hpp"
#include "apps/mnist_lora/layers_table.hpp"
#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/softmax.hpp"
#include "lora/lora.hpp"
#include "models/mlp.hpp"
#include "models/resnet.hpp"
#include "nn/running_statistics.hpp"
#include "tests/support/app_results.hpp"
#include "tests/support/op_case.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

struct Lab : Bench {
  /// The perceptron, as it is quick; `more` may say otherwise.
  Outcome finetune(const std::string& name, const Words& more = {}, const std::string& alarm = "") const {
    Words words{"--out", path(name), "--model", "mlp", "--epochs", "3", "--rank", "2", "--alpha", "2", "--keep-others", "0,0.5"};
    words.insert(words.end(), more.begin(), more.end());
    return run("finetune", words, alarm);
  }
  Json runs(const std::string& name, const Words& more) const {
    Words words{"--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = finetune(name, words);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return json(name + "/results.json")["runs"];
  }
};

const std::vector<std::string> kRuns{"base", "lora-r2", "lora-r2-keep-0.5"};

}  // namespace

TEST_CASE("app: finetune writes results, log, weights, adapters and a report that agree", "[app]") {
  const Lab lab;
  const Outcome outcome = lab.finetune("out");
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("lora-r2-keep-0.5") && Contains("report.html"));
  const Json runs = lab.json("out/results.json")["runs"];
  REQUIRE(runs.size() == kRuns.size());
  for (std::size_t i = 0; i < kRuns.size(); ++i) {
    INFO(runs[i].dump());
    CHECK(runs[i]["name"] == kRuns[i]);
    CHECK(runs[i]["train_digits"] == (i == 0 ? "0-9" : "3,6,8"));
    const std::vector<std::string> off{"3,6,8", "3,6,8 off", "0-2,4,5,7,9", "0-2,4,5,7,9 off", "0-9", "0-9 off"};
    CHECK(test_rows(runs[i]) == (i == 0 ? std::vector<std::string>{"3,6,8", "0-2,4,5,7,9", "0-9"} : off));
    CHECK((i == 0 || fs::exists(lab.folder / "out/adapters" / kRuns[i] / "adapter_config.json")));
  }
  CHECK(runs[1]["parameters"]["added"] == 2 * (784 + 64 + 64 + 64 + 64 + 10));
  const std::string report = lab.text("out/report.html");
  CHECK_THAT(report, Contains("Parameters by layer") && Contains("Linear(784, 64)") && Contains("disabled") && Contains("61.9 %"));
  CHECK_FALSE(fs::exists(lab.folder / "out/progress.json"));
}

TEST_CASE("app: finetune mends its digits, and replaying others keeps them", "[app]") {
  const Lab lab;
  const Json runs = lab.runs("out", {"--epochs", "1", "--lr", "0.003"});
  const auto loss = [&](std::size_t run, std::size_t row) { return runs[run]["test"][row]["loss"].get<double>(); };
  CHECK(loss(1, 0) < loss(1, 1));
  CHECK(loss(2, 0) < loss(2, 1));
  CHECK(loss(2, 2) < loss(1, 2));
  for (std::size_t i = 1; i < 3; ++i) {
    for (std::size_t set = 0; set < 3; ++set) {
      CHECK(runs[i]["test"][2 * set + 1]["loss"] == runs[0]["test"][set]["loss"]);
    }
  }
}

TEST_CASE("app: finetune gives the same bits for any number of threads, and interrupted in any run", "[app][determinism]") {
  const Lab lab;
  REQUIRE(lab.finetune("whole", {"--quiet", "--threads", "1"}).status == 0);
  REQUIRE(lab.finetune("threads", {"--quiet", "--threads", "3"}).status == 0);
  check_same(lab, "whole", "threads", weight_files(kRuns));
  Words more;
  for (const std::string& name : kRuns) {
    const Outcome outcome = lab.finetune("cut", more, name + ": epoch 1");
    INFO(outcome.err);
    REQUIRE(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains("interrupted in run " + name));
    more = {"--resume"};
  }
  REQUIRE(lab.finetune("cut", more).status == 0);
  check_same(lab, "whole", "cut", weight_files(kRuns));
}

TEST_CASE("app: finetune tunes the adapter's own batch normalisations, and goes on with them", "[app][determinism]") {
  const Lab lab;
  const Words small{"--model", "resnet20", "--limit", "150", "--epochs", "1", "--tune-epochs", "2", "--keep-others", "0.5"};
  const Json runs = lab.runs("whole", small);
  REQUIRE(runs.size() == 2);
  for (std::size_t set = 0; set < 3; ++set) {
    CHECK(runs[1]["test"][2 * set]["loss"] != runs[0]["test"][set]["loss"]);
    CHECK(runs[1]["test"][2 * set + 1]["loss"] == runs[0]["test"][set]["loss"]);
  }
  const Json own = lab.json("whole/adapters/lora-r2-keep-0.5/adapter_config.json")["modules_to_save"];
  CHECK(own.size() == 1 + 2 * 9 + 2);  // after the stem, two in each block, one beside each change of width
  CHECK(std::find(own.begin(), own.end(), "blocks.3.short.1") != own.end());
  REQUIRE(lab.finetune("cut", small, "lora-r2-keep-0.5: epoch 1").status == 1);
  Words more = small;
  more.push_back("--resume");
  REQUIRE(lab.finetune("cut", more).status == 0);
  check_same(lab, "whole", "cut", weight_files({"base", "lora-r2-keep-0.5"}));
}

TEST_CASE("app: finetune trains a base until validation gets no better, at one learning rate", "[app]") {
  const Lab lab;
  const Json base = lab.runs("out", {"--epochs", "60", "--lr", "0.03", "--keep-others", "0"})[0];
  CHECK(base["stopped_early"] == true);
  CHECK(base["epochs"].back()["lr"] == base["epochs"].front()["lr"]);
}

TEST_CASE("app: finetune with options at their limits", "[app]") {
  const Lab lab;
  CHECK(lab.runs("out", {"--digits", "0-9", "--keep-others", "1"})[1]["test"].size() == 2);
  CHECK(lab.runs("out", {"--epochs", "0", "--tune-epochs", "0"})[2]["epochs"].empty());
  CHECK(lab.runs("out", {"--digits", "4", "--limit", "100", "--batch-size", "100000"}).size() == 3);
}

TEST_CASE("app: a sweep of finetune has a run for each rank and learning rate", "[app]") {
  const Lab lab;
  const Json runs = lab.runs("out", {"--keep-others", "0", "--epochs", "1", "--sweep", "--ranks", "1,4", "--lrs", "1e-3,1e-2"});
  REQUIRE(runs.size() == 6);
  CHECK(runs[2]["name"] == "lora-r1-lr-0.001");
  CHECK(runs[5]["name"] == "lora-r4-lr-0.01");
  CHECK(runs[5]["alpha"] == 4);
  CHECK(runs[5]["epochs"][0]["lr"].get<double>() == Approx(10 * runs[4]["epochs"][0]["lr"].get<double>()));
  CHECK_THAT(lab.text("out/report.html"), Contains("Sweep"));
}

TEST_CASE("app: finetune that cannot start says why", "[app]") {
  const Lab lab;
  const auto refused = [&](const Words& more, int status, const std::string& text) {
    const Outcome outcome = lab.finetune("out", more);
    CHECK(outcome.status == status);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("mnist_lora: ") && Contains(text));
  };
  for (const char* share : {"-0.1", "1.5", "nan", "x", "0.1,0.1", "", "1e400"}) {
    refused({"--keep-others", share}, 2, "--keep-others");
  }
  refused({"--digits", "3,,6"}, 2, "--digits");
  refused({"--model", "none"}, 2, "none");
  refused({"--rank", "0"}, 2, "--rank");
  refused({"--ranks", "1"}, 2, "--sweep");
  refused({"--sweep", "--lrs", "0"}, 2, "--lrs");
  refused({"--limit", "1"}, 1, "raise --limit");
  refused({"--data", lab.path("nowhere")}, 1, "there is no folder");
  CHECK_FALSE(fs::exists(lab.folder / "out"));
  REQUIRE(lab.finetune("out", {}, "lora-r2: epoch").status == 1);
  refused({"--resume", "--keep-others", "0.2"}, 1, "--keep-others is 0.2");
  refused({"--resume", "--digits", "3"}, 1, "--digits is 3");
  refused({"--resume", "--sweep"}, 1, "--lrs is 0.001");
}

TEST_CASE("app: finetune with --json gives one object on stdout, with --quiet nothing", "[app]") {
  const Lab lab;
  const Outcome json = lab.finetune("out", {"--json", "--epochs", "1"});
  check_said(lab, "out", json, lab.finetune("quiet", {"--quiet", "--epochs", "1"}));
}

TEST_CASE("app: training images of some digits have a share of each other digit", "[app]") {
  const Lab lab;
  const mnist_lora::TrainingData data(lab.folder / "data", 0, 0, {lora::datasets::DigitSet::all()});
  const auto counts = [&](double share, int replays = 1) {
    std::vector<int> images(10);
    for (const lora::Index digit : data.training({3, 6, 8}, 1000, {share, replays}).batch(0, 0).y.to_vector<lora::Index>()) {
      ++images[static_cast<std::size_t>(digit)];
    }
    return images;
  };
  const std::vector<int> all = counts(1), some = counts(0.25), least = counts(1e-9), none = counts(0), again = counts(0.25, 3);
  for (std::size_t digit = 0; digit < 10; ++digit) {
    const bool tuned = digit == 3 || digit == 6 || digit == 8;
    CHECK(all[digit] > 8);
    CHECK(some[digit] == (tuned ? all[digit] : (all[digit] + 3) / 4));
    CHECK(again[digit] == (tuned ? all[digit] : 3 * some[digit]));
    CHECK(least[digit] == (tuned ? all[digit] : 1));
    CHECK(none[digit] == (tuned ? all[digit] : 0));
  }
}

TEST_CASE("app: the loss that holds the base adds its divergence on other digits", "[app]") {
  lora::manual_seed(1);
  lora::models::Mlp model;
  attach(model, lora::LoraConfig{});
  constexpr double kWeight = 3;
  const lora::Tensor x = lora::randn({4, 784});
  const lora::Tensor y = lora::from_values(std::vector<std::int64_t>{3, 1, 6, 9}, {4});
  const lora::nn::LossFunction loss = mnist_lora::hold_base(model, {3, 6, 8}, kWeight);
  const auto extra = [&](const lora::Tensor& labels) {
    return loss(model, {x, labels}).item<double>() - cross_entropy(model(x), labels).item<double>();
  };
  CHECK(extra(y) == 0);  // a fresh adapter is the base

  lora::set_adapters_enabled(model, false);
  const std::vector<float> before = model(x).to_vector<float>();
  lora::set_adapters_enabled(model, true);
  for (const lora::Tensor& tensor : model.trainable_parameters()) {
    const lora::NoGrad no_grad;
    lora::Tensor(tensor).copy_(lora::randn(tensor.shape()) * 0.3);
  }
  const std::vector<float> after = model(x).to_vector<float>();
  double expected = 0;
  for (const std::size_t row : {1u, 3u}) {
    double p_sum = 0, q_sum = 0, cross = 0;
    for (std::size_t i = 10 * row; i < 10 * row + 10; ++i) {
      p_sum += std::exp(before[i]);
      q_sum += std::exp(after[i]);
      cross += std::exp(before[i]) * (before[i] - after[i]);
    }
    expected += (cross / p_sum - std::log(p_sum) + std::log(q_sum)) / 4;
  }
  CHECK(expected > 0.01);
  CHECK(std::abs(extra(y) - kWeight * expected) <= 1e-5 * (1 + expected));  // sums of a few float32 logits
  CHECK(extra(lora::from_values(std::vector<std::int64_t>{3, 6, 6, 8}, {4})) == 0);
}

TEST_CASE("app: the loss that holds the base asks it as it is used, and leaves its statistics", "[app]") {
  lora::manual_seed(2);
  lora::models::ResNetOptions small;
  small.widths = {4};
  small.blocks = 1;
  lora::models::ResNet model(small);
  const lora::Tensor x = lora::randn({6, 1, 8, 8});
  const lora::Tensor y = lora::from_values(std::vector<std::int64_t>{0, 1, 2, 4, 5, 9}, {6});
  model.eval();
  const lora::Tensor before = softmax(model(x), 1).detach();
  lora::LoraConfig config;
  config.modules_to_save = {"bn", "bn1", "bn2"};
  attach(model, config);
  model.train();
  const auto running = [&] {
    lora::set_adapters_enabled(model, false);
    std::vector<double> values;
    for (const auto& [name, tensor] : model.named_buffers()) {
      const std::vector<double> more = to(tensor, lora::DType::f64).to_vector<double>();
      values.insert(values.end(), more.begin(), more.end());
    }
    lora::set_adapters_enabled(model, true);
    return values;
  };
  const std::vector<double> untouched = running();
  lora::nn::RunningStatistics collector;
  const lora::Tensor loss = mnist_lora::hold_base(model, {3}, 2)(model, {x, y});
  loss.backward();
  collector.apply();
  CHECK(running() == untouched);
  const lora::Tensor logits = model(x);  // by the statistics of the batch, as in training
  const lora::Tensor divergence = sum(before * (log(before) - log_softmax(logits, 1)));
  const double expected = cross_entropy(logits, y).item<double>() + 2 * divergence.item<double>() / 6;
  CHECK(std::abs(loss.item<double>() - expected) <= 1e-5 * (1 + expected));  // sums of a few float32 logits
}

TEST_CASE("app: the table of layers counts an adapter's matrices and its own copies as added", "[app]") {
  lora::models::ResNet model;
  lora::LoraConfig config;
  config.r = 4;
  config.target_modules = {"fc"};
  config.modules_to_save = {"bn"};
  attach(model, config);
  const mnist_lora::ReportTable table = mnist_lora::layers_table(model);
  const auto numbers = [&](const std::string& layer) {
    for (const auto& row : table.rows) {
      if (row[0].text == layer) {
        return Words{row[2].text, row[3].text, row[4].text, row[5].text};
      }
    }
    return Words{};
  };
  CHECK(numbers("stem") == Words{"144", "0", "144", "0"});
  CHECK(numbers("bn") == Words{"32", "32", "64", "32"});
  CHECK(numbers("fc") == Words{"650", "296", "946", "296"});
  CHECK(numbers("sum") == Words{"272,186", "328", "272,514", "328"});
}

TEST_CASE("app: error reduction is the share of wrong images that got right", "[app]") {
  mnist_lora::Run run;
  run.test = {{"0-9", true, 0, 0, {9, 9, 9, 1, 9, 9, 2, 9, 3, 9}}, {"0-9", false, 0, 0, {0, 0, 0, 4, 0, 0, 8, 0, 12, 0}}};
  CHECK(mnist_lora::error_reduction(run, "3,6,8") == 75);
  CHECK(std::isnan(mnist_lora::error_reduction(run, "0-2")));
}
