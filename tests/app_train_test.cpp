// The command train from end to end, on a small data set.

#include <catch2/catch.hpp>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/mnist_lora/models.hpp"
#include "core/base/device_backend.hpp"
#include "core/serialize.hpp"
#include "lora/peft_files.hpp"
#include "tests/support/app_results.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

const std::string kFirstModel = mnist_lora::model_names().front();

/// The lines after `Next:`, as words without the program's name.
std::vector<Words> next_commands(const std::string& out) {
  std::vector<Words> commands;
  std::istringstream lines(out.substr(out.find("Next:\n") + 6));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream in(line);
    Words words;
    for (std::string word; in >> word;) {
      words.push_back(word);
    }
    REQUIRE(words.size() > 2);
    CHECK(words.front() == "mnist_lora");
    commands.emplace_back(words.begin() + 1, words.end());
  }
  return commands;
}

/// Trains a base on some digits in `base` and gives the words that begin with it.
Words with_base(const Bench& bench, const Words& more = {}) {
  REQUIRE(bench.train("base", {"--quiet", "--digits", "0-4"}).status == 0);
  Words words{"--weights", bench.path("base/base.safetensors"), "--adapter", "lora", "--digits", "5-9"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

const std::vector<std::string> kAdapterFiles{"base.safetensors", "adapters/lora-r8/adapter_model.safetensors",
                                             "adapters/lora-r8/adapter_config.json"};

/// Weights of the adapter trained with these flags, `fc1.lora_A.weight` and so on.
std::vector<std::string> adapted_names(const Bench& bench, const Words& more) {
  Words words{"--quiet", "--epochs", "0"};
  words.insert(words.end(), more.begin(), more.end());
  REQUIRE(bench.train("target", words).status == 0);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : lora::load_safetensors(bench.folder / "target/adapters/lora-r8/adapter_model.safetensors").tensors) {
    names.push_back(name.substr(std::string("base_model.model.").size()));
  }
  return names;
}

}  // namespace

TEST_CASE("app: train from scratch writes the folder of the contract and says how to go on", "[app]") {
  const Bench bench;
  const Outcome outcome = bench.train("out", {"--digits", "0-4"});
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.err, Contains("of " + kFirstModel + " on 200 images of the digits 0-4, 50 more") && Contains("epoch 3/3"));
  CHECK_THAT(outcome.out, Contains("Right on the test images of 0-4: ") && Contains("report.html"));

  const Json results = bench.json("out/results.json");
  CHECK(results["command"] == "train");
  REQUIRE(results["runs"].size() == 1);
  const Json& run = results["runs"][0];
  CHECK(run["name"] == kFirstModel);
  CHECK(run["adapter"] == "none");
  CHECK(run["train_digits"] == "0-4");
  CHECK(run["epochs"].size() == 3);
  CHECK(run["parameters"]["added"] == 0);
  CHECK(run["parameters"]["trainable"] == run["parameters"]["total"]);
  CHECK(test_rows(run) == std::vector<std::string>{"0-4", "5-9", "0-9"});
  CHECK(results["seconds"] >= run["seconds"]);
  const std::string log = bench.text("out/log.csv");
  CHECK(std::count(log.begin(), log.end(), '\n') == 4);
  CHECK_THAT(bench.text("out/report.html"), Contains("from scratch") && Contains("Errors by digit") && !Contains("adapter off"));
  for (const char* gone : {"progress.json", "checkpoint.safetensors", "adapters"}) {
    CHECK_FALSE(fs::exists(bench.folder / "out" / gone));
  }

  const std::vector<Words> next = next_commands(outcome.out);
  REQUIRE(next.size() == 3);
  Words eval_words(next[0].begin() + 1, next[0].end());
  eval_words.emplace_back("--json");
  const Json eval = Json::parse(bench.run("eval", eval_words).out);
  CHECK(eval["test"] == run["test"]);
}

TEST_CASE("app: train with an adapter leaves the base as it was and writes a PEFT folder", "[app]") {
  const Bench bench;
  const Outcome outcome = bench.train("out", with_base(bench, {"--rank", "3", "--alpha", "6", "--epochs", "8"}));
  REQUIRE(outcome.status == 0);
  CHECK((bench.text("out/base.safetensors") == bench.text("base/base.safetensors")));
  const Json run = bench.json("out/results.json")["runs"][0];
  CHECK(run["name"] == "lora-r3");
  CHECK(run["adapter"] == "lora");
  CHECK(run["rank"] == 3);
  CHECK(run["alpha"] == 6.0);
  CHECK(run["parameters"]["trainable"] == run["parameters"]["added"]);
  CHECK(test_rows(run) == std::vector<std::string>{"5-9", "5-9 off", "0-4", "0-4 off", "0-9", "0-9 off"});
  const Json base = bench.json("base/results.json")["runs"][0]["test"];  // 0-4, 5-9, 0-9
  CHECK(run["test"][1]["loss"] == base[1]["loss"]);
  CHECK(run["test"][3]["errors_per_digit"] == base[0]["errors_per_digit"]);
  CHECK(run["test"][0]["accuracy"] > run["test"][1]["accuracy"]);
  const Json config = bench.json("out/adapters/lora-r3/adapter_config.json");
  CHECK(config["peft_type"] == "LORA");
  CHECK(config["r"] == 3);
  CHECK(config["lora_alpha"] == 6);
  CHECK_THAT(bench.text("out/report.html"), Contains("were frozen") && Contains("adapter off"));

  const std::vector<Words> next = next_commands(outcome.out);  // eval, predict, merge
  REQUIRE(next.size() == 3);
  CHECK(run_app(next[2]).status == 0);
  CHECK(fs::exists(bench.folder / "out/merged.safetensors"));
}

TEST_CASE("app: train names its run, and adapts the layers that it is told to", "[app]") {
  const Bench bench;
  const Words base = with_base(bench);
  const auto names = [&](const Words& more) {
    Words words = base;
    words.insert(words.end(), more.begin(), more.end());
    return adapted_names(bench, words);
  };
  using Names = std::vector<std::string>;
  CHECK(names({}).size() == 6);
  CHECK(names({"--target", "all-linear"}).size() == 6);
  CHECK(names({"--target", "fc1,fc3"}) == Names{"fc1.lora_A.weight", "fc1.lora_B.weight", "fc3.lora_A.weight", "fc3.lora_B.weight"});
  CHECK(names({"--target", "fc[23]"}) == Names{"fc2.lora_A.weight", "fc2.lora_B.weight", "fc3.lora_A.weight", "fc3.lora_B.weight"});
  Words words = base;
  words.insert(words.end(), {"--quiet", "--epochs", "0", "--name", "mine_2.b"});
  REQUIRE(bench.train("named", words).status == 0);
  CHECK(bench.json("named/results.json")["runs"][0]["name"] == "mine_2.b");
  CHECK(fs::exists(bench.folder / "named/adapters/mine_2.b/adapter_config.json"));
}

TEST_CASE("app: train goes on from weights", "[app]") {
  const Bench bench;
  REQUIRE(bench.train("first", {"--quiet"}).status == 0);
  const std::string weights = bench.path("first/base.safetensors");
  REQUIRE(bench.train("same", {"--quiet", "--weights", weights, "--epochs", "0"}).status == 0);
  CHECK((bench.text("same/base.safetensors") == bench.text("first/base.safetensors")));
  REQUIRE(bench.train("further", {"--quiet", "--weights", weights}).status == 0);
  const Json first = bench.json("first/results.json")["runs"][0], further = bench.json("further/results.json")["runs"][0];
  CHECK(further["adapter"] == "none");
  CHECK(further["epochs"][0]["loss"] < first["epochs"][2]["loss"]);
  const Outcome refused = bench.train("first", {"--weights", weights});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("would be overwritten") && Contains("choose another --out"));
}

TEST_CASE("app: train gives the same bits for any number of threads", "[app][determinism]") {
  const Bench bench;
  const Words base = with_base(bench, {"--quiet", "--batch-size", "150"});
  for (const char* threads : {"1", "2", "3"}) {
    REQUIRE(bench.train(std::string("scratch") + threads, {"--quiet", "--batch-size", "150", "--threads", threads}).status == 0);
    Words words = base;
    words.insert(words.end(), {"--threads", threads});
    REQUIRE(bench.train(std::string("lora") + threads, words).status == 0);
  }
  for (const std::string other : {"2", "3"}) {
    check_same(bench, "scratch1", "scratch" + other, {"base.safetensors"});
    check_same(bench, "lora1", "lora" + other, kAdapterFiles);
  }
  for (const char* seed : {"0", "1"}) {  // untrained: initial values have a seed too
    REQUIRE(bench.train(std::string("seed") + seed, {"--quiet", "--epochs", "0", "--seed", seed}).status == 0);
  }
  CHECK((bench.text("seed0/base.safetensors") != bench.text("seed1/base.safetensors")));
}

TEST_CASE("app: train interrupted and resumed ends with the bits of an uninterrupted one", "[app][determinism]") {
  const Bench bench;
  const Words base = with_base(bench);
  for (const bool adapted : {false, true}) {
    const Words words = adapted ? base : Words{};
    const std::string whole = adapted ? "whole_lora" : "whole", cut = adapted ? "cut_lora" : "cut";
    REQUIRE(bench.train(whole, words).status == 0);
    const Outcome stopped = bench.train(cut, words, "epoch 2/3");
    CHECK(stopped.status == 1);
    CHECK(stopped.out.empty());
    CHECK_THAT(stopped.err, Contains("interrupted in run") && Contains("--resume\n") && !Contains("error"));
    CHECK_FALSE(fs::exists(bench.folder / cut / "results.json"));
    Words resume = words;
    resume.push_back("--resume");
    REQUIRE(bench.train(cut, resume).status == 0);
    check_same(bench, whole, cut, adapted ? kAdapterFiles : std::vector<std::string>{"base.safetensors"});
    CHECK_FALSE(fs::exists(bench.folder / cut / "checkpoint.safetensors"));
    CHECK_THAT(bench.train(cut, resume).err, Contains("no unfinished experiment"));
  }
}

TEST_CASE("app: train resumes only what was started with the same options and the same weights", "[app]") {
  const Bench bench;
  const Words base = with_base(bench);
  REQUIRE(bench.train("cut", base, "epoch 1/3").status == 1);
  const auto refused = [&](const Words& more, const std::string& text) {
    Words words = base;
    words.push_back("--resume");
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = bench.train("cut", words);
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.err, Contains("[resume]") && Contains(text));
  };
  refused({"--rank", "2", "--alpha", "8"}, "--name is lora-r2");
  refused({"--rank", "2", "--alpha", "8", "--name", "lora-r8"}, "--rank is 2");
  refused({"--alpha", "2"}, "--alpha is 2");
  refused({"--target", "fc1"}, "--target is fc1");
  refused({"--digits", "5"}, "--digits is 5");
  refused({"--lr", "1"}, "--lr is 1");
  REQUIRE(bench.train("base", {"--quiet", "--digits", "0-4", "--seed", "5"}).status == 0);
  refused({}, "hash of the file of --weights");
}

TEST_CASE("app: train that cannot start says why and writes nothing", "[app]") {
  const Bench bench;
  const std::string weights = bench.path("base/base.safetensors");
  with_base(bench);
  struct Line {
    Words words;
    int status;
    std::string text;
  };
  const Words lora{"--adapter", "lora", "--weights", weights};
  const auto adapted = [&lora](const Words& more) {
    Words words = lora;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  for (const Line& line : std::vector<Line>{{{"--adapter", "lora"}, 2, "give --weights FILE"},
                                            {{"--rank", "4"}, 2, "give --adapter"},
                                            {{"--alpha", "4"}, 2, "give --adapter"},
                                            {{"--target", "fc1"}, 2, "give --adapter"},
                                            {adapted({"--rank", "0"}), 2, "from 1 to"},
                                            {adapted({"--alpha", "-1"}), 2, "above 0"},
                                            {{"--adapter", "gpt", "--weights", weights}, 2, "gpt"},
                                            {{"--model", "gpt"}, 2, "gpt"},
                                            {{"--name", "../up"}, 2, "letters, digits"},
                                            {{"--name", ".."}, 2, "letters, digits"},
                                            {{"--name", ""}, 2, "letters, digits"},
                                            {{"--digits", "x"}, 2, "'x'"},
                                            {{"--weights", bench.path("none")}, 1, "none"},
                                            {{"--weights", bench.path("data/t10k-labels-idx1-ubyte")}, 1, "t10k-labels"},
                                            {adapted({"--target", "conv9"}), 1, "target_modules name no layer"},
                                            {adapted({"--target", "fc1,,fc2"}), 1, "empty name"},
                                            {adapted({"--target", "fc(1"}), 1, "regular expression"},
                                            {{"--limit", "1"}, 1, "raise --limit"},
                                            {{"--device", "cuda"}, 1, "cuda"},
                                            {{"--data", bench.path("nowhere")}, 1, "nowhere"}}) {
    if (line.words.front() == "--device" && lora::cuda_available()) {
      continue;
    }
    const Outcome outcome = bench.train("out", line.words);
    INFO(outcome.err);
    CHECK(outcome.status == line.status);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains(line.text));
    CHECK_FALSE(fs::exists(bench.folder / "out"));
  }
}

TEST_CASE("app: train --json gives one object on stdout, --quiet nothing", "[app]") {
  const Bench bench;
  const Outcome json = bench.train("out", {"--json", "--limit", "300"});
  check_said(bench, "out", json, bench.train("quiet", {"--quiet"}));
  CHECK_THAT(json.err, Contains("on 240 images"));
}

TEST_CASE("app: every model of the table is trained, adapted, tested, merged and told", "[app]") {
  const Bench bench;
  fs::create_directory(bench.folder / "tiny");
  detail::write_split(bench.folder / "tiny", "train", 20, 1);
  detail::write_split(bench.folder / "tiny", "t10k", 10, 2);
  for (const std::string& model : mnist_lora::model_names()) {
    if (model == "resnet18") {
      continue;  // the code of resnet20, at forty times its cost
    }
    INFO(model);
    const auto run = [&](const std::string& command, Words words) {
      words.insert(words.begin(), {command, "--model", model, "--data", bench.path("tiny")});
      const Outcome outcome = run_app(words);
      INFO(outcome.err);
      CHECK(outcome.status == 0);
      return outcome;
    };
    const std::string base = bench.path(model + "/base.safetensors"), adapter = bench.path(model + "/adapters/lora-r2");
    run("train", {"--quiet", "--epochs", "1", "--out", bench.path(model)});
    run("train", {"--quiet", "--epochs", "1", "--out", bench.path(model), "--weights", base, "--adapter", "lora", "--rank", "2"});
    run("merge", {"--quiet", "--weights", base, "--adapter", adapter, "--output", bench.path(model + "/merged.safetensors")});
    const Json eval = Json::parse(run("eval", {"--json", "--weights", base, "--adapter", adapter}).out);
    CHECK(eval["test"].size() == 2);
    const Json files = Json::parse(run_app({"inspect", "--json", base, adapter}).out)["files"];
    CHECK(files[0]["models"] == Json::array({model}));
    CHECK(files[1]["models"] == Json::array({model}));
  }
}

TEST_CASE("app: qlora is trained on a base in 4 bits, which is a file of its own", "[app]") {
  const Bench bench;
  REQUIRE(bench.train("base", {"--quiet"}).status == 0);
  const std::string base = bench.path("base/base.safetensors");
  REQUIRE(bench.train("out", {"--weights", base, "--adapter", "qlora"}).status == 0);
  CHECK((bench.text("out/base.safetensors") == bench.text("base/base.safetensors")));
  const Json run = bench.json("out/results.json")["runs"][0], dense = bench.json("base/results.json")["runs"][0];
  CHECK(run["adapter"] == "qlora");
  const auto parameters = dense["parameters"]["total"].get<double>(), added = run["parameters"]["added"].get<double>();
  CHECK(run["parameters"]["total"].get<double>() == parameters + added);
  CHECK(run["weight_bytes"].get<double>() - 4 * added <= 0.15 * 4 * parameters);  // 3 tables of 1 KiB beside 55,000 numbers

  const std::string packed = bench.path("out/base_4bit.safetensors");
  const auto evaluated = [&](const std::string& weights) {
    const Outcome outcome = bench.run("eval", {"--weights", weights, "--adapter", bench.path("out/adapters/qlora-r8"), "--json"});
    REQUIRE(outcome.status == 0);
    return Json::parse(outcome.out)["test"];
  };
  CHECK(evaluated(packed) == run["test"]);
  CHECK(evaluated(base) != run["test"]);

  const Words merge{"--weights", packed, "--adapter", bench.path("out/adapters/qlora-r8"), "--json", "--output"};
  const auto merged = [&](const std::string& name, const Words& more) {
    Words words = merge;
    words.push_back(bench.path(name));
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = bench.run("merge", words);
    REQUIRE(outcome.status == 0);
    return Json::parse(outcome.out);
  };
  CHECK_FALSE(merged("dense.safetensors", {}).contains("requantized"));
  const Json again = merged("packed.safetensors", {"--requantize"});
  REQUIRE(again["requantized"].size() == 3);
  CHECK(again["requantized"][0]["name"] == "fc1");
  CHECK(again["requantized"][0]["changed_codes"].get<double>() > 0);
  CHECK(fs::file_size(bench.path("packed.safetensors")) < fs::file_size(bench.path("dense.safetensors")) / 5);
}
