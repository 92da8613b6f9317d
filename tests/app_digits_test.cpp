// The digit-split experiment from end to end, on a small data set.

#include <catch2/catch.hpp>

#include <algorithm>
#include <csignal>
#include <nlohmann/json.hpp>
#include <utility>

#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/interrupt.hpp"
#include "apps/mnist_lora/train_run.hpp"
#include "apps/mnist_lora/workspace.hpp"
#include "core/base/device_backend.hpp"
#include "core/base/file.hpp"
#include "core/serialize.hpp"
#include "lora/lora.hpp"
#include "models/mlp.hpp"
#include "tests/support/app_results.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

struct Lab : Bench {
  fs::path out(const std::string& name) const { return folder / name; }
  Words words(const std::string& name, const Words& more = {}) const {
    Words words{"--out", path(name), "--epochs", "3", "--ranks", "1,3"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Outcome run(const std::string& name, const Words& more = {}, const std::string& alarm = "") const {
    return Bench::run("digits", words(name, more), alarm);
  }
  Json results(const std::string& name) const { return json(name + "/results.json"); }
};

const std::vector<std::string> kRuns{"base", "lora-r1", "lora-r3", "lora-r3-all"};

}  // namespace

TEST_CASE("app: digits writes results, log, weights, adapters and a report that agree", "[app]") {
  const Lab lab;
  const Outcome outcome = lab.run("out");
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("lora-r3-all") && Contains("report.html"));
  CHECK_THAT(outcome.err, Contains("base") && Contains("epoch 3/3") && !Contains("error"));

  const Json results = lab.results("out");
  REQUIRE(results["runs"].size() == kRuns.size());
  std::size_t log_lines = 1;
  double seconds = 0;
  for (std::size_t i = 0; i < kRuns.size(); ++i) {
    const Json& run = results["runs"][i];
    INFO(run.dump());
    CHECK(run["name"] == kRuns[i]);
    CHECK(run["epochs"].size() == 3);
    CHECK(test_rows(run) == (i == 0 ? std::vector<std::string>{"5-9", "0-4", "0-9"}
                                    : std::vector<std::string>{"5-9", "5-9 off", "0-4", "0-4 off", "0-9", "0-9 off"}));
    CHECK(run["weight_bytes"] == 4 * run["parameters"]["total"].get<int>());
    CHECK(run["peak_bytes"] >= run["weight_bytes"]);
    CHECK(results["peak_bytes"] >= run["peak_bytes"]);
    log_lines += run["epochs"].size();
    seconds += run["seconds"].get<double>();
  }
  CHECK(results["seconds"] >= seconds);
  const std::string log = lora::read_text_file(lab.out("out") / "log.csv");
  CHECK(static_cast<std::size_t>(std::count(log.begin(), log.end(), '\n')) == log_lines);
  for (const std::string& file : weight_files(kRuns)) {
    CHECK(fs::exists(lab.out("out") / file));
  }
  CHECK_THAT(lora::read_text_file(lab.out("out") / "report.html"), Contains("lora-r3-all") && Contains("Wrong test images"));
  CHECK_FALSE(fs::exists(lab.out("out") / "progress.json"));
}

TEST_CASE("app: digits learns its digits, and adapters leave the base behind them as it was", "[app]") {
  const Lab lab;
  REQUIRE(lab.run("out", {"--quiet", "--epochs", "12"}).status == 0);
  const Json results = lab.results("out");
  const Json& base = results["runs"][0]["test"];
  CHECK(base[1]["accuracy"].get<double>() >= 90);  // 0-4: the bars are easily told apart
  for (std::size_t i = 1; i < kRuns.size(); ++i) {
    const Json& test = results["runs"][i]["test"];
    for (std::size_t set = 0; set < 3; ++set) {
      CHECK(test[2 * set + 1]["loss"] == base[set]["loss"]);
      CHECK(test[2 * set + 1]["errors_per_digit"] == base[set]["errors_per_digit"]);
    }
    CHECK(test[0]["accuracy"] > base[0]["accuracy"]);
    CHECK(test[0]["loss"] < test[1]["loss"]);
  }
}

TEST_CASE("app: digits gives the same bits for the same seed and any number of threads, others for another seed", "[app][determinism]") {
  const Lab lab;
  for (const char* threads : {"1", "2", "3"}) {
    REQUIRE(lab.run(threads, {"--quiet", "--batch-size", "150", "--threads", threads}).status == 0);
  }
  check_same(lab, "1", "2", weight_files(kRuns));
  check_same(lab, "1", "3", weight_files(kRuns));
  REQUIRE(lab.run("other", {"--quiet", "--batch-size", "150", "--seed", "1"}).status == 0);
  for (const std::string& file : weight_files(kRuns)) {
    if (file.ends_with(".safetensors")) {
      INFO(file);
      CHECK((lora::read_text_file(lab.out("1") / file) != lora::read_text_file(lab.out("other") / file)));
    }
  }
  CHECK(lab.results("other")["seed"] == 1);
}

TEST_CASE("app: a run does not depend on which others there are", "[app][determinism]") {
  const Lab lab;
  REQUIRE(lab.run("both", {"--quiet"}).status == 0);
  REQUIRE(lab.run("one", {"--quiet", "--ranks", "3"}).status == 0);
  for (const char* file :
       {"base.safetensors", "adapters/lora-r3/adapter_model.safetensors", "adapters/lora-r3-all/adapter_model.safetensors"}) {
    INFO(file);
    CHECK((lora::read_text_file(lab.out("both") / file) == lora::read_text_file(lab.out("one") / file)));
  }
}

TEST_CASE("app: digits interrupted in any run and resumed ends with the bits of an uninterrupted one", "[app][determinism]") {
  const Lab lab;
  REQUIRE(lab.run("whole", {"--quiet"}).status == 0);
  Words more;
  for (const std::string& run : kRuns) {
    const Outcome outcome = lab.run("cut", more, run);
    INFO(outcome.err);
    REQUIRE(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains("mnist_lora: interrupted in run " + run) && !Contains("error"));
    CHECK_THAT(outcome.err, Contains("--ranks 1,3 --resume\n"));
    CHECK(outcome.out.empty());
    CHECK_FALSE(fs::exists(lab.out("cut") / "results.json"));
    more = {"--resume"};
  }
  REQUIRE(lab.run("cut", more).status == 0);
  check_same(lab, "whole", "cut", weight_files(kRuns));
  CHECK_FALSE(fs::exists(lab.out("cut") / "checkpoint.safetensors"));
  CHECK_THAT(lab.run("cut", more).err, Contains("no unfinished experiment"));
}

TEST_CASE("app: a run interrupted after every single step ends with the same weights and log", "[app][determinism]") {
  const Lab lab;
  mnist_lora::CommonOptions options;
  options.epochs = 2;
  options.quiet = true;
  const mnist_lora::TrainingData data(lab.folder / "data", 0, 0, {lora::datasets::DigitSet{5, 6, 7, 8, 9}});
  const mnist_lora::RunPlan plan{"lora-r3", "lora", 3, 3.0, lora::datasets::DigitSet{5, 6, 7, 8, 9}, 1e-2, 0.01};

  const auto attempt = [&](const std::string& name, bool resume) {
    const mnist_lora::Workspace workspace(lab.out(name), {{"--epochs", "2"}}, resume);
    lora::nn::CsvLog log(workspace.log(), resume ? lora::nn::CsvLog::Existing::keep : lora::nn::CsvLog::Existing::replace);
    lora::default_generator() = lora::Generator(3, plan.random_stream());
    lora::models::Mlp model;
    lora::LoraConfig config;
    config.r = plan.rank;
    config.target_modules = {"fc1", "fc3"};
    const lora::AttachedAdapter adapter = lora::attach(model, config);
    train_run(model, plan, data, options, workspace, log);
    std::vector<std::vector<float>> trained;
    for (const lora::Tensor& tensor : model.trainable_parameters()) {
      trained.push_back(tensor.to_vector<float>());
    }
    return trained;
  };

  const auto whole = attempt("whole", false);
  const mnist_lora::InterruptGuard guard;
  std::raise(SIGINT);
  int interruptions = 0;
  std::vector<std::vector<float>> trained;
  while (trained.empty()) {
    try {
      trained = attempt("cut", interruptions > 0);
    } catch (const mnist_lora::Interrupted&) {
      ++interruptions;
      REQUIRE(interruptions < 100);
    }
  }
  CHECK(interruptions >= 7);  // 200 images: 4 steps in each of 2 epochs; the last step needs none
  CHECK(trained == whole);
  CHECK(lasting_log(lab.out("whole") / "log.csv") == lasting_log(lab.out("cut") / "log.csv"));
}

TEST_CASE("app: digits resumes only what was started with the same options and is whole", "[app]") {
  const Lab lab;
  REQUIRE(lab.run("cut", {}, "lora-r1").status == 1);
  const auto refused = [&](const Words& more, const std::string& text) {
    const Outcome outcome = lab.run("cut", more);
    CHECK(outcome.status == 1);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("error") && Contains(text));
  };
  refused({"--resume", "--seed", "9"}, "--seed is 9");
  refused({"--resume", "--lr", "1e-9"}, "--lr is 1e-09");
  refused({"--resume", "--ranks", "1"}, "--ranks is 1");

  const fs::path checkpoint = lab.out("cut") / "checkpoint.safetensors", progress = lab.out("cut") / "progress.json";
  const std::string state = lora::read_text_file(checkpoint), done = lora::read_text_file(progress);
  lora::write_file_atomically(checkpoint, state.substr(0, state.size() / 2));
  refused({"--resume"}, "checkpoint.safetensors");
  lora::write_file_atomically(checkpoint, state);
  for (const std::string& damaged :
       {std::string("{"), std::string("[]"), done.substr(0, done.size() - 9), std::string("{\"settings\":{}}")}) {
    lora::write_file_atomically(progress, damaged);
    const Outcome outcome = lab.run("cut", {"--resume"});
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains("error: [resume]"));
  }
  lora::write_file_atomically(progress, done);
  CHECK(lab.run("cut", {"--resume", "--quiet"}).status == 0);
}

TEST_CASE("app: digits with options at their limits", "[app]") {
  const Lab lab;
  const auto results_of = [&](const Words& more) {
    Words words{"--quiet", "--ranks", "2"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = lab.run("out", words);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return lab.results("out");
  };
  CHECK(results_of({"--epochs", "0"})["runs"][1]["epochs"].empty());
  CHECK(results_of({"--batch-size", "100000"})["runs"].size() == 3);
  CHECK(test_rows(results_of({"--base", "0-6", "--tune", "5-9"})["runs"][0]) == std::vector<std::string>{"5-9", "0-4", "0-9", "0-6"});
  CHECK(test_rows(results_of({"--tune", "0-9"})["runs"][1]) == std::vector<std::string>{"0-9", "0-9 off"});
  CHECK(test_rows(results_of({"--base", "0-9"})["runs"][0]) == std::vector<std::string>{"5-9", "0-4", "0-9"});
  const Json stopped = results_of({"--epochs", "40", "--patience", "1"});
  CHECK(stopped["runs"][0]["stopped_early"] == true);
  CHECK(stopped["runs"][0]["epochs"].size() < 40);
}

TEST_CASE("app: digits that cannot start says why and leaves the folder's unfinished experiment alone", "[app]") {
  const Lab lab;
  REQUIRE(lab.run("cut", {}, "lora-r1").status == 1);
  const std::string before = lora::read_text_file(lab.out("cut") / "progress.json");
  fs::create_directory(lab.folder / "half");
  for (const char* name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}) {
    fs::copy(lab.folder / "data" / name, lab.folder / "half" / name);
  }
  for (const auto& [more, text] : {std::pair{Words{"--limit", "3"}, "raise --limit"},
                                   {Words{"--data", (lab.folder / "none").string()}, "there is no folder"},
                                   {Words{"--data", (lab.folder / "half").string()}, "t10k"},
                                   {Words{"--device", "cuda"}, "cuda"}}) {
    if (more[1] == "cuda" && lora::cuda_available()) {
      continue;
    }
    const Outcome outcome = lab.run("cut", more);
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains("error") && Contains(text));
  }
  CHECK(lora::read_text_file(lab.out("cut") / "progress.json") == before);
  CHECK(lab.run("cut", {"--resume", "--quiet"}).status == 0);
}

TEST_CASE("app: --json gives one object on stdout, --quiet nothing", "[app]") {
  const Lab lab;
  const Outcome json = lab.run("out", {"--json", "--device", "auto"});
  check_said(lab, "out", json, lab.run("quiet", {"--quiet"}));
}
