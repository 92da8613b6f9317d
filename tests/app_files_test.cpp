// The commands eval and merge, on files that train and PEFT wrote.

#include <catch2/catch.hpp>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/file.hpp"
#include "core/serialize.hpp"
#include "tests/support/app_results.hpp"
#include "tests/support/source_file.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

const fs::path kGolden = lora::test::source_file("tests/golden/peft_mlp");

/// A base for 0-4 and an adapter for 5-9, trained.
struct Trained : Bench {
  std::string base = path("out/base.safetensors"), adapter = path("out/adapters/lora-r8");

  Trained() {
    REQUIRE(train("out", {"--quiet", "--digits", "0-4", "--limit", "300"}).status == 0);
    scratch = json("out/results.json")["runs"][0];
    REQUIRE(train("out", {"--quiet", "--weights", base, "--adapter", "lora", "--digits", "5-9"}).status == 0);
    adapted = json("out/results.json")["runs"][0];
  }

  Json eval(const Words& more) const {
    Words words{"--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run("eval", words);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK(outcome.err.empty());
    return Json::parse(outcome.out);
  }
  Outcome merge(const std::string& output, const Words& more = {}) const {
    Words words{"--weights", base, "--adapter", adapter, "--output", path(output)};
    words.insert(words.end(), more.begin(), more.end());
    return run("merge", words);
  }

  Json scratch, adapted;
};

}  // namespace

TEST_CASE("app: eval gives the test rows of results.json", "[app]") {
  const Trained lab;
  const Json plain = lab.eval({"--weights", lab.base, "--digits", "0-4"});
  CHECK(plain["command"] == "eval");
  CHECK(plain["images"] == 200);
  CHECK(plain["adapter"].is_null());
  CHECK(plain["test"] == lab.scratch["test"]);
  const Json adapted = lab.eval({"--weights", lab.base, "--adapter", lab.adapter, "--digits", "5-9"});
  CHECK(adapted["test"] == lab.adapted["test"]);
  CHECK(adapted["parameters"]["added"] == lab.adapted["parameters"]["added"]);
  CHECK(test_rows(lab.eval({"--weights", lab.base})) == std::vector<std::string>{"0-9"});
  const Json small = lab.eval({"--weights", lab.base, "--batch-size", "7", "--threads", "3"});
  CHECK(small["test"][0]["errors_per_digit"] == lab.scratch["test"][2]["errors_per_digit"]);
}

TEST_CASE("app: eval tests the images that training held out, and those it used", "[app]") {
  const Trained lab;
  const auto on = [&lab](const char* split) {
    return lab.eval({"--weights", lab.base, "--digits", "0-4", "--limit", "300", "--split", split});
  };
  double best = 0;
  for (const Json& epoch : lab.scratch["epochs"]) {
    best = std::max(best, epoch["val_accuracy"].get<double>());
  }
  const Json validation = on("validation");
  CHECK(validation["images"] == 30);
  CHECK(test_rows(validation) == std::vector<std::string>{"0-4", "0-9"});           // no images of the others
  CHECK(std::abs(validation["test"][0]["accuracy"].get<double>() - best) <= 1e-9);  // both are a count over 30
  CHECK(on("train")["images"] == 120);
  CHECK(lab.eval({"--weights", lab.base, "--limit", "50"})["images"] == 50);
}

TEST_CASE("app: eval prints a table", "[app]") {
  const Trained lab;
  const Outcome outcome = lab.run("eval", {"--weights", lab.base, "--adapter", lab.adapter, "--digits", "5-9"});
  REQUIRE(outcome.status == 0);
  CHECK(outcome.err.empty());
  CHECK_THAT(outcome.out,
             Contains("of the adapter), on 200 test images") && Contains("digits  adapter  right %") && Contains("5-9     off"));
  const Outcome quiet = lab.run("eval", {"--weights", lab.base, "--quiet"});
  CHECK(quiet.out.rfind("digits  right %", 0) == 0);
}

TEST_CASE("app: eval says what is wrong", "[app]") {
  const Trained lab;
  const auto refused = [&lab](const Words& more, const std::string& text) {
    const Outcome outcome = lab.run("eval", more);
    CHECK(outcome.status == 1);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("error") && Contains(text));
  };
  refused({"--weights", lab.path("none")}, "none");
  refused({"--weights", lab.adapter + "/adapter_model.safetensors"}, "fc1.weight");
  refused({"--weights", lab.base, "--adapter", lab.path("data")}, "adapter_config.json");
  refused({"--weights", lab.base, "--digits", "9", "--split", "train", "--limit", "5"}, "raise --limit");
  refused({"--weights", lab.base, "--data", lab.path("out")}, "t10k");
}

TEST_CASE("app: a merged model gives what the adapter gives", "[app]") {
  const Trained lab;
  const Outcome outcome = lab.merge("merged.safetensors", {"--json"});
  REQUIRE(outcome.status == 0);
  const Json report = Json::parse(outcome.out);
  CHECK(report["command"] == "merge");
  CHECK(report["method"] == "lora");
  CHECK(report["rank"] == 8);
  CHECK(report["alpha"] == 8);
  CHECK(report["checked_on"] == "64 test images");
  CHECK(report["parameters"]["written"] == lab.scratch["parameters"]["total"]);
  CHECK(report["parameters"]["merged"] == lab.adapted["parameters"]["added"]);
  REQUIRE(report["layers"].size() == 3);
  for (const Json& layer : report["layers"]) {
    CHECK(layer["largest_change"] > 0);
    CHECK(layer["relative_change"] > 0);
  }
  CHECK(report["largest_difference"] <= 1e-4);  // f32 sums of 784 terms in another order; logits are of the order of 10
  const Json merged = lab.eval({"--weights", lab.path("merged.safetensors"), "--digits", "5-9"});
  for (std::size_t set = 0; set < 3; ++set) {
    const Json &a = merged["test"][set], &b = lab.adapted["test"][2 * set];
    CHECK(a["digits"] == b["digits"]);
    CHECK(a["errors_per_digit"] == b["errors_per_digit"]);
    CHECK(std::abs(a["loss"].get<double>() - b["loss"].get<double>()) <= 1e-5);  // as the logits, averaged
  }
}

TEST_CASE("app: merge writes W + alpha / r B A for PEFT's adapter", "[app]") {
  const TempFolder folder;
  const std::string output = (folder / "merged.safetensors").string();
  const Outcome outcome = run_app(
      {"merge", "--weights", (kGolden / "model.safetensors").string(), "--adapter", (kGolden / "lora").string(), "--output", output});
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("lora, rank 4, alpha 8: 4,200 parameters merged into 3 layers of mlp") && Contains(output));
  CHECK_THAT(outcome.out, Contains("fc2    Linear(64, 64)") && Contains("largest difference"));
  const lora::SafetensorsFile merged = lora::load_safetensors(output), base = lora::load_safetensors(kGolden / "model.safetensors"),
                              lora = lora::load_safetensors(kGolden / "lora" / "adapter_model.safetensors");
  const auto w = base.at("fc2.weight").to_vector<float>(), m = merged.at("fc2.weight").to_vector<float>(),
             a = lora.at("base_model.model.fc2.lora_A.weight").to_vector<float>(),
             b = lora.at("base_model.model.fc2.lora_B.weight").to_vector<float>();
  for (std::size_t i = 0; i < 64 * 64; ++i) {
    double expected = static_cast<double>(w[i]);
    for (std::size_t r = 0; r < 4; ++r) {
      expected += 2.0 * static_cast<double>(b[i / 64 * 4 + r]) * static_cast<double>(a[r * 64 + i % 64]);
    }
    REQUIRE(std::abs(static_cast<double>(m[i]) - expected) <= 1e-6);  // a few roundings of numbers around 1
  }
  CHECK(merged.at("fc2.bias").to_vector<float>() == base.at("fc2.bias").to_vector<float>());
}

TEST_CASE("app: merge never harms a file", "[app]") {
  const Trained lab;
  const std::string before = lab.text("out/base.safetensors"), tensors = lab.text("out/adapters/lora-r8/adapter_model.safetensors");
  const auto refused = [&lab](const std::string& output, const Words& more, const std::string& text) {
    const Outcome outcome = lab.merge(output, more);
    CHECK(outcome.status == 1);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("error") && Contains(text));
  };
  refused("out/base.safetensors", {}, "is the file of --weights");
  refused("out/base.safetensors", {"--force"}, "is the file of --weights");
  refused("out/adapters/../base.safetensors", {"--force"}, "is the file of --weights");
  refused("out/adapters/lora-r8/adapter_model.safetensors", {"--force"}, "is the file of --adapter");
  refused("out/log.csv", {}, "replace it with --force");
  refused("out", {"--force"}, "/out");
  refused("none/merged.safetensors", {}, "none/merged.safetensors");
  refused("new.safetensors", {"--weights", lab.path("data/t10k-labels-idx1-ubyte")}, "t10k-labels");
  Json config = lab.json("out/adapters/lora-r8/adapter_config.json");
  config["r"] = 5;
  fs::create_directory(lab.folder / "wrong");
  lora::write_file_atomically(lab.folder / "wrong/adapter_config.json", config.dump());
  lora::write_file_atomically(lab.folder / "wrong/adapter_model.safetensors", tensors);
  refused("new.safetensors", {"--adapter", lab.path("wrong")}, "the layer needs f32[5,784]");
  refused("new.safetensors", {"--data", lab.path("nowhere")}, "nowhere");
  CHECK_FALSE(fs::exists(lab.folder / "new.safetensors"));
  CHECK((lab.text("out/base.safetensors") == before));
  CHECK((lab.text("out/adapters/lora-r8/adapter_model.safetensors") == tensors));

  const Outcome quiet = lab.merge("out/log.csv", {"--force", "--quiet"});
  CHECK(quiet.status == 0);
  CHECK(quiet.out.empty());
  CHECK(lora::load_safetensors(lab.folder / "out/log.csv").contains("fc1.weight"));
}
