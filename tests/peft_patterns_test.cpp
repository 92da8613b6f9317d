#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/base/file.hpp"
#include "lora/lora_method.hpp"
#include "lora/peft_files.hpp"
#include "models/mlp.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;

namespace {

using Ranks = std::vector<std::pair<std::string, Index>>;

/// Ranks of fc1, fc2 and fc3.
std::vector<Index> ranks(const AttachedAdapter& adapter) {
  std::vector<Index> out;
  for (const NamedLayer& layer : adapter.layers()) {
    out.push_back(layer.layer->adapter(adapter.name())->named_parameters()[0].tensor.size(0));
  }
  return out;
}

LoraConfig with_ranks(Ranks pattern) {
  LoraConfig config;
  config.r = 5;
  config.rank_pattern = std::move(pattern);
  return config;
}

}  // namespace

TEST_CASE("peft: ranks of layers are those of the first pattern that fits", "[peft]") {
  const std::vector<std::pair<Ranks, std::vector<Index>>> rows{
      {{}, {5, 5, 5}},
      {{{"fc2", 3}}, {5, 3, 5}},
      {{{"fc1", 2}, {"fc.", 3}}, {2, 3, 3}},
      {{{"fc.", 3}, {"fc1", 2}}, {3, 3, 3}},
      {{{"fc1|fc3", 4}}, {4, 5, 4}},
      {{{"c2", 3}, {"fc", 2}}, {5, 5, 5}},  // no whole name
  };
  for (const auto& [pattern, expected] : rows) {
    models::Mlp model(models::MlpOptions{6, 5, 4});
    const AttachedAdapter adapter = attach(model, with_ranks(pattern));
    CHECK(ranks(adapter) == expected);
    const TempFolder folder;
    save_adapter(adapter, folder.path());
    adapter.detach();
    const AttachedAdapter loaded = load_adapter(model, folder.path());
    CHECK(ranks(loaded) == expected);
    CHECK(dynamic_cast<const LoraMethod&>(loaded.method()).config().rank_pattern == pattern);
  }
}

TEST_CASE("peft: patterns give alpha and the scaling its rank", "[peft]") {
  LoraConfig config = with_ranks({{"fc1", 4}});
  config.lora_alpha = 10;
  config.alpha_pattern = {{"a\\.fc1", 6.5}};
  CHECK(config.at("fc1").scaling() == 2.5);
  CHECK(config.at("a.fc1").scaling() == 6.5 / 4);
  CHECK(config.at("b.a.fc1").scaling() == 6.5 / 4);
  CHECK(config.at("aXfc1").scaling() == 2.0);
}

TEST_CASE("peft: patterns of a file are read in its order", "[peft]") {
  models::Mlp model(models::MlpOptions{6, 5, 4});
  const TempFolder folder;
  write_file_atomically(folder / "adapter_config.json",
                        std::string_view(R"({"peft_type": "LORA", "target_modules": "all-linear", "rank_pattern": {"fc3": 1, "fc.": 2}})"));
  const auto method = std::dynamic_pointer_cast<const LoraMethod>(read_adapter_config(folder.path()));
  REQUIRE(method != nullptr);
  CHECK(ranks(attach(model, method)) == std::vector<Index>{2, 2, 1});
}
