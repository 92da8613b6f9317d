// The program on a GPU: what it says where there is none, and that it gives there what it gives on the CPU.

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support/app_results.hpp"
#include "tests/support/devices.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;

/// One epoch on few images.
Words tiny(const Bench& bench, const std::string& out, const std::string& device, const Words& more) {
  Words words{"--out", bench.path(out), "--device", device, "--epochs", "1", "--limit", "100", "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

bool near(const Json& a, const Json& b, double relative) {
  const double want = b.get<double>();
  return std::abs(a.get<double>() - want) <= relative * std::max(1.0, std::abs(want));
}

/// Losses of f32 in another order, after some steps of an optimizer that divides by gradients of any size; and with them now and then
/// another image that is told wrong.
void check_near(const Json& found, const Json& want) {
  REQUIRE(found.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    INFO(want[i]["name"]);
    CHECK(found[i]["name"] == want[i]["name"]);
    CHECK(found[i]["parameters"] == want[i]["parameters"]);
    REQUIRE(found[i]["epochs"].size() == want[i]["epochs"].size());
    for (std::size_t e = 0; e < want[i]["epochs"].size(); ++e) {
      CHECK(near(found[i]["epochs"][e]["loss"], want[i]["epochs"][e]["loss"], 1e-3));
    }
    REQUIRE(test_rows(found[i]) == test_rows(want[i]));
    for (std::size_t row = 0; row < want[i]["test"].size(); ++row) {
      CHECK(near(found[i]["test"][row]["loss"], want[i]["test"][row]["loss"], 1e-3));
      CHECK(std::abs(found[i]["test"][row]["accuracy"].get<double>() - want[i]["test"][row]["accuracy"].get<double>()) <= 2.5);
    }
  }
}

/// The command on both devices. @return the results of the GPU's
Json check_on_gpu(const Bench& bench, const std::string& command, const Words& more) {
  for (const std::string device : {"cpu", "cuda"}) {
    const Outcome outcome = bench.run(command, tiny(bench, command + "-" + device, device, more));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
  }
  const Json found = bench.json(command + "-cuda/results.json"), want = bench.json(command + "-cpu/results.json");
  CHECK(found["device"] == "cuda:0");
  CHECK(want["device"] == "cpu");
  check_near(found["runs"], want["runs"]);
  return found;
}

}  // namespace

TEST_CASE("app: --device cuda where there is no CUDA is one clear sentence", "[app]") {
  if (lora::cuda_available()) {
    return;
  }
  const Bench bench;
  for (const char* command : {"train", "digits", "finetune", "compare", "demo"}) {
    const Outcome outcome = bench.run(command, {"--out", bench.path("out"), "--device", "cuda"});
    CHECK(outcome.status == 1);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("error: [cuda]") && Contains("use the CPU"));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK_FALSE(std::filesystem::exists(bench.folder / "out"));
  }
}

TEST_CASE("app: --device auto takes a GPU where there is one", "[app][cuda]") {
  const Bench bench;
  const Outcome outcome = bench.run("train", tiny(bench, "out", "auto", {}));
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(bench.json("out/results.json")["device"] == (lora::cuda_available() ? "cuda:0" : "cpu"));
}

TEST_CASE("app: digits on a GPU gives what it gives on the CPU", "[app][cuda]") {
  if (lora::cuda_available()) {
    const Bench bench;
    const Json results = check_on_gpu(bench, "digits", {"--ranks", "2"});
    CHECK(results["peak_bytes"].get<double>() > 0);
  }
}

TEST_CASE("app: finetune on a GPU gives what it gives on the CPU", "[app][cuda]") {
  if (lora::cuda_available()) {
    const Bench bench;
    check_on_gpu(bench, "finetune", {"--model", "mlp", "--rank", "2", "--keep-others", "0,0.5", "--tune-epochs", "1"});
  }
}

TEST_CASE("app: a training begun on the CPU can go on on a GPU", "[app][cuda]") {
  if (lora::cuda_available()) {
    const Bench bench;
    Words words{"--out", bench.path("out"), "--epochs", "3", "--limit", "100"};
    const Outcome cut = bench.run("train", words, "epoch 2");
    REQUIRE(cut.status == 1);
    words.insert(words.end(), {"--resume", "--quiet", "--device", "cuda"});
    const Outcome outcome = bench.run("train", words);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    const Outcome whole = bench.run("train", {"--out", bench.path("whole"), "--epochs", "3", "--limit", "100", "--quiet"});
    REQUIRE(whole.status == 0);
    check_near(bench.json("out/results.json")["runs"], bench.json("whole/results.json")["runs"]);
  }
}
