// The command line of mnist_lora: predict, help, and exit statuses.

#include <catch2/catch.hpp>

#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/mnist_lora/command_line.hpp"
#include "core/base/device_backend.hpp"
#include "core/ops/convert.hpp"
#include "core/serialize.hpp"
#include "tests/support/app.hpp"
#include "tests/support/source_file.hpp"
#include "tests/support/temp_folder.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

const fs::path kGolden = lora::test::source_file("tests/golden/peft_mlp");

/// The golden model and its images, with a folder for output.
struct Desk {
  TempFolder folder;
  lora::SafetensorsFile expected = lora::load_safetensors(kGolden / "expected.safetensors");

  Desk() { save("x.safetensors", lora::to(expected.at("x"), lora::DType::f32)); }

  void save(const std::string& file, const lora::Tensor& x, const std::string& name = "x") const {
    const lora::NamedTensors tensors{{name, x}};
    lora::save_safetensors(folder / file, tensors);
  }
  Words words(const std::string& input, const Words& more = {}) const {
    Words words{"predict",  "--weights",      (kGolden / "model.safetensors").string(), "--input", (folder / input).string(),
                "--output", output().string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  Outcome predict(const std::string& input, const Words& more = {}) const { return run_app(words(input, more)); }
  fs::path output() const { return folder / "logits.safetensors"; }
  lora::Tensor logits() const { return lora::load_safetensors(output()).at("logits"); }
};

void check_close(const lora::Tensor& found, const lora::Tensor& expected) {
  REQUIRE(found.shape() == expected.shape());
  const auto a = lora::to(found, lora::DType::f64).to_vector<double>(), b = lora::to(expected, lora::DType::f64).to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO(i);
    REQUIRE(std::abs(a[i] - b[i]) <= 1e-4);  // f32 sums of 784 terms; logits are of the order of 1
  }
}

}  // namespace

TEST_CASE("app: predict gives the logits of PyTorch and PEFT", "[app]") {
  const Desk desk;
  REQUIRE(desk.predict("x.safetensors").status == 0);
  check_close(desk.logits(), desk.expected.at("logits.base"));
  const Outcome adapted = desk.predict("x.safetensors", {"--adapter", (kGolden / "lora").string(), "--json"});
  REQUIRE(adapted.status == 0);
  CHECK(Json::parse(adapted.out)["images"] == desk.expected.at("x").size(0));
  CHECK(adapted.err.empty());
  check_close(desk.logits(), desk.expected.at("logits.lora"));
}

TEST_CASE("app: predict takes any number of images of any floating type", "[app]") {
  const Desk desk;
  desk.save("f64.safetensors", lora::to(desk.expected.at("x"), lora::DType::f64));
  REQUIRE(desk.predict("f64.safetensors", {"--quiet"}).status == 0);
  check_close(desk.logits(), desk.expected.at("logits.base"));
  desk.save("none.safetensors", lora::empty({0, 1, 28, 28}));
  REQUIRE(desk.predict("none.safetensors").status == 0);
  CHECK(desk.logits().shape() == lora::Shape{0, 10});
  desk.save("many.safetensors", lora::zeros({2001, 1, 28, 28}));
  REQUIRE(desk.predict("many.safetensors").status == 0);
  const auto values = desk.logits().to_vector<float>();
  for (std::size_t i = 10; i < values.size(); ++i) {
    REQUIRE(std::abs(values[i] - values[i - 10]) <= 1e-5f);  // a batch of one sums in another order
  }
}

TEST_CASE("app: predict says what is wrong with its files and writes nothing then", "[app]") {
  const Desk desk;
  desk.save("bytes.safetensors", lora::zeros({2, 1, 28, 28}, lora::DType::u8));
  desk.save("flat.safetensors", lora::zeros({2, 784}));
  desk.save("nox.safetensors", lora::zeros({2, 1, 28, 28}), "images");
  const std::string x = (desk.folder / "x.safetensors").string();
  const auto refused = [&](const std::string& input, const Words& more, const std::string& text) {
    const Outcome outcome = desk.predict(input, more);
    CHECK(outcome.status == 1);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Contains("error") && Contains(text));
    CHECK_FALSE(fs::exists(desk.output()));
  };
  refused("bytes.safetensors", {}, "u8[2,1,28,28]");
  refused("flat.safetensors", {}, "f32[2,784]");
  refused("nox.safetensors", {}, "has no tensor 'x'; it has 'images'");
  refused("missing.safetensors", {}, "missing.safetensors");
  refused("x.safetensors", {"--weights", x}, "fc1.weight");
  refused("x.safetensors", {"--adapter", desk.folder.path().string()}, "adapter_config.json");
  refused("x.safetensors", {"--output", (desk.folder / "no" / "such" / "folder").string()}, "no/such/folder");
  refused("x.safetensors", {"--output", desk.folder.path().string()}, desk.folder.path().string());
  refused("x.safetensors", {"--output", x}, "is the file of --input");
  if (!lora::cuda_available()) {
    refused("x.safetensors", {"--device", "cuda"}, "CUDA");
  }
  CHECK(lora::load_safetensors(x).at("x").size(0) == desk.expected.at("x").size(0));
}

TEST_CASE("app: exit status and stream of command lines", "[app]") {
  struct Line {
    Words words;
    int status;
    std::string text;
  };
  const auto line = GENERATE(values<Line>({
      {{}, 2, "choose from demo, digits, "},
      {{"frobnicate"}, 2, "there is no command frobnicate"},
      {{"--frobnicate"}, 2, "--help"},
      {{"digits", "--frobnicate"}, 2, "--frobnicate"},
      {{"digits", "more"}, 2, "more"},
      {{"digits", "--lr", "0"}, 2, "above 0"},
      {{"digits", "--tune", "5-"}, 2, "5-"},
      {{"digits", "--tune", ""}, 2, "no digit"},
      {{"digits", "--ranks", "0"}, 2, "from 1 to"},
      {{"predict"}, 2, "--weights"},
      {{"predict", "--weights", "a", "--input", "b", "--output", "c", "--model", "gpt"}, 2, "gpt"},
      {{"predict", "--weights", "/none/a", "--input", "/none/b", "--output", "/none/c", "--seed", "3"}, 1, "/none/a"},
      {{"inspect"}, 2, "path"},
      {{"inspect", "/none/a", "/none/b"}, 1, "/none/b"},
      {{"eval"}, 2, "--weights"},
      {{"eval", "--weights", "/none/a"}, 1, "/none/a"},
      {{"eval", "--weights", "/none/a", "--split", "all"}, 2, "all"},
      {{"merge", "--weights", "a", "--adapter", "b"}, 2, "--output"},
      {{"merge", "--weights", "a", "--output", "b"}, 2, "--adapter"},
      {{"train", "more"}, 2, "more"},
      {{"train", "--lr", "0"}, 2, "above 0"},
      {{"train", "--resume", "--out", "/none/b"}, 1, "no unfinished experiment"},
      {{"inspect", "/none/a"}, 1, "/none/a"},
      {{"digits", "--data", "/none/a", "--out", "/none/b"}, 1, "/none/a"},
      {{"digits", "--resume", "--out", "/none/b"}, 1, "no unfinished experiment"},
      {{"digits", "--out", "/dev/null"}, 1, "/dev/null"},
      {{"compare", "--adapters", "lora,nora"}, 2, "nora"},
      {{"compare", "--out", "/dev/null"}, 1, "/dev/null"},
      {{"compare", "--help"}, 0, "--adapters LIST"},
      {{"demo", "--resume", "--out", "/none/b"}, 1, "no unfinished experiment"},
      {{"demo", "--help"}, 0, "[by experiment]"},
      {{"--help"}, 0, "Commands:"},
      {{"--version"}, 0, "mnist_lora "},
      {{"digits", "--help"}, 0, "Highest learning rate [by run]"},
      {{"predict", "--help"}, 0, "--weights FILE (required)"},
      {{"inspect", "--help"}, 0, "PEFT folder"},
      {{"inspect", "--help"}, 0, "inspect [OPTIONS] path..."},
      {{"train", "--help"}, 0, "--adapter lora --rank 8"},
      {{"eval", "--help"}, 0, "--split NAME"},
      {{"merge", "--help"}, 0, "--output FILE (required)"},
  }));
  const Outcome outcome = run_app(line.words);
  INFO(outcome.out << outcome.err);
  CHECK(outcome.status == line.status);
  CHECK_THAT(line.status == 0 ? outcome.out : outcome.err, Contains(line.text));
  CHECK((line.status == 0 ? outcome.err : outcome.out).empty());
  CHECK((outcome.err.find("Try mnist_lora") != std::string::npos) == (line.status == 2));
}

TEST_CASE("app: a command line is repeated as a shell takes it", "[app]") {
  CHECK(mnist_lora::shell_command({"mnist_lora", "digits", "--ranks", "1,2"}) == "mnist_lora digits --ranks 1,2");
  CHECK(mnist_lora::shell_command({"a b", "", "it's", "$x"}) == "'a b' '' 'it'\\''s' '$x'");
}
