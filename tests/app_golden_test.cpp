// Models and adapter folders made by PyTorch and PEFT give their logits through `mnist_lora predict`.

#include <catch2/catch.hpp>

#include "core/ops/convert.hpp"
#include "core/serialize.hpp"
#include "tests/support/app.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/source_file.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora::test;
namespace fs = std::filesystem;

namespace {

struct Row {
  std::string model, weights, adapter, expected;
};

const Row kRows[] = {
    {"mlp", "model.safetensors", "", "logits.base"},           {"mlp", "model.safetensors", "lora", "logits.lora"},
    {"mlp", "model.safetensors", "dora", "logits.dora"},       {"cnn", "model.safetensors", "", "logits.base"},
    {"mlp", "model_4bit.safetensors", "", "logits.base_4bit"}, {"mlp", "model_4bit.safetensors", "lora", "logits.lora_4bit"},
    {"cnn", "model.safetensors", "lora", "logits.lora"},       {"cnn", "model.safetensors", "dora", "logits.dora"},
};

}  // namespace

TEST_CASE("app: predict gives the logits of PyTorch, PEFT and bitsandbytes", "[app][peft]") {
  for (const Row& row : kRows) {
    INFO(row.model << ' ' << row.expected);
    const fs::path golden = lora::test::source_file("tests/golden/peft_" + row.model);
    const lora::SafetensorsFile expected = lora::load_safetensors(golden / "expected.safetensors");
    const TempFolder folder;
    lora::save_safetensors(folder / "x.safetensors", lora::NamedTensors{{"x", expected.at("x")}});
    Words words{"predict",
                "--model",
                row.model,
                "--weights",
                (golden / row.weights).string(),
                "--input",
                (folder / "x.safetensors").string(),
                "--output",
                (folder / "y.safetensors").string()};
    if (!row.adapter.empty()) {
      words.insert(words.end(), {"--adapter", (golden / row.adapter).string()});
    }
    REQUIRE(run_app(words).status == 0);
    // f32 sums of up to 3136 products in another order; logits are of the order of 1
    CHECK(max_difference(lora::load_safetensors(folder / "y.safetensors").at("logits"), expected.at(row.expected)) <= 1e-4);
  }
}
