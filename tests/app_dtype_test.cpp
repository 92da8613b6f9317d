// The program with --dtype bf16.

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/autocast.hpp"
#include "core/base/device_backend.hpp"
#include "core/serialize.hpp"
#include "tests/support/app_results.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;

/// Two epochs on few images.
Json digits(const Bench& bench, const std::string& dtype, const std::string& device = "cpu") {
  const std::string out = dtype + '-' + device;
  const Outcome outcome = bench.run("digits", {"--out", bench.path(out), "--device", device, "--dtype", dtype, "--ranks", "2", "--epochs",
                                               "2", "--limit", "100", "--quiet"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  return bench.json(out + "/results.json");
}

/// Losses of a run: of each epoch, and of each row of the test.
std::vector<double> losses(const Json& run) {
  std::vector<double> out;
  for (const char* part : {"epochs", "test"}) {
    for (const Json& row : run[part]) {
      out.push_back(row["loss"].get<double>());
    }
  }
  return out;
}

/// @param same  whether losses may be the same
void check_near(const Json& found, const Json& want, bool same, double tolerance) {
  REQUIRE(found["runs"].size() == want["runs"].size());
  for (std::size_t run = 0; run < want["runs"].size(); ++run) {
    const std::vector<double> a = losses(found["runs"][run]), b = losses(want["runs"][run]);
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      INFO("run " << run << ", loss " << i << ": " << a[i] << ", " << b[i]);
      CHECK((same || a[i] != b[i]));
      CHECK(std::abs(a[i] - b[i]) <= tolerance * b[i]);
    }
  }
}

}  // namespace

TEST_CASE("app: --dtype bf16 trains and tests in bf16, near to f32, and results say so", "[app]") {
  const Bench bench;
  const Json half = digits(bench, "bf16"), plain = digits(bench, "f32");
  CHECK(half["dtype"] == "bf16");
  CHECK(plain["dtype"] == "f32");
  check_near(half, plain, false, 0.005);  // numbers of 8 bits in three layers, over some steps
  CHECK_THAT(bench.text("bf16-cpu/report.html"), Contains("bf16"));
  CHECK_THAT(bench.text("f32-cpu/report.html"), !Contains("bf16"));
  CHECK(lora::autocast_dtype() == lora::DType::f32);
  const lora::Tensor weight = lora::load_safetensors(bench.folder / "bf16-cpu/base.safetensors").at("fc1.weight");
  CHECK(weight.dtype() == lora::DType::f32);
}

TEST_CASE("app: --dtype bf16 on a GPU gives what it gives on the CPU", "[app][cuda]") {
  if (lora::cuda_available()) {
    const Bench bench;
    const Json found = digits(bench, "bf16", "cuda"), want = digits(bench, "bf16");
    CHECK(found["device"] == "cuda:0");
    check_near(found, want, true, 0.001);  // single numbers are rounded the other way, which the steps carry on
  }
}

TEST_CASE("app: train --dtype bf16 ends with commands that compute in bf16", "[app]") {
  const Bench bench;
  const Outcome outcome = bench.train("out", {"--dtype", "bf16"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  const std::string next = outcome.out.substr(outcome.out.find("Next:\n"));
  CHECK(std::count(next.begin(), next.end(), '\n') == 4);
  CHECK_THAT(next, Contains("base.safetensors --dtype bf16\n"));
  const auto eval = [&](const std::string& dtype) {
    const Outcome tested = bench.run("eval", {"--weights", bench.path("out/base.safetensors"), "--dtype", dtype, "--json"});
    INFO(tested.err);
    REQUIRE(tested.status == 0);
    return Json::parse(tested.out);
  };
  const Json run = bench.json("out/results.json")["runs"][0], half = eval("bf16");
  CHECK(half["dtype"] == "bf16");
  CHECK(half["test"] == run["test"]);
  CHECK(eval("f32")["test"] != run["test"]);
}

TEST_CASE("app: predict --dtype bf16 rounds the logits", "[app]") {
  const Bench bench;
  REQUIRE(bench.train("out", {"--quiet", "--epochs", "0"}).status == 0);
  lora::save_safetensors(bench.folder / "x.safetensors", lora::NamedTensors{{"x", lora::full({2, 1, 28, 28}, 0.3)}});
  const auto logits = [&](const std::string& dtype) {
    const Outcome outcome = run_app({"predict", "--weights", bench.path("out/base.safetensors"), "--input", bench.path("x.safetensors"),
                                     "--output", bench.path(dtype), "--dtype", dtype});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return lora::load_safetensors(bench.folder / dtype).at("logits").to_vector<float>();
  };
  const std::vector<float> half = logits("bf16");
  const auto rounded = [](float v) { return v == static_cast<float>(lora::bf16(v)); };
  CHECK(std::all_of(half.begin(), half.end(), rounded));
  CHECK(half != logits("f32"));
}

TEST_CASE("app: an experiment is resumed in the dtype that it was started in alone", "[app]") {
  const Bench bench;
  REQUIRE(bench.train("out", {"--dtype", "bf16"}, "epoch 2").status == 1);
  const Outcome refused = bench.train("out", {"--resume"});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("[resume] --dtype is f32, but the experiment was started with bf16"));
  REQUIRE(bench.train("out", {"--resume", "--dtype", "bf16", "--quiet"}).status == 0);
  REQUIRE(bench.train("whole", {"--dtype", "bf16", "--quiet"}).status == 0);
  CHECK(lasting(bench.json("out/results.json")) == lasting(bench.json("whole/results.json")));
  CHECK((bench.text("out/base.safetensors") == bench.text("whole/base.safetensors")));
}

TEST_CASE("app: a --dtype that there is not is bad usage", "[app]") {
  for (const char* command : {"demo", "digits", "compare", "finetune", "train", "eval", "predict"}) {
    INFO(command);
    for (const char* dtype : {"f16", "BF16", "f64", ""}) {
      const Outcome outcome = run_app({command, "--dtype", dtype});
      CHECK(outcome.status == 2);
      CHECK(outcome.out.empty());
      CHECK_THAT(outcome.err, Contains("--dtype") && Contains("f32 or bf16"));
    }
    CHECK_THAT(run_app({command, "--help"}).out, Contains("--dtype NAME") && Contains("[f32]"));
  }
}
