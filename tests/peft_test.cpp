#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/autograd.hpp"
#include "core/base/file.hpp"
#include "core/ops/convert.hpp"
#include "core/serialize.hpp"
#include "lora/lora_method.hpp"
#include "lora/peft_files.hpp"
#include "models/mlp.hpp"
#include "nn/weights_file.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/source_file.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

namespace {

const fs::path kGolden = lora::test::source_file("tests/golden/peft_mlp");
const char* const kConfig = "adapter_config.json";
const char* const kTensors = "adapter_model.safetensors";
// PyTorch sums 784, 64 and 64 products of numbers near 1 in another order in f32.
constexpr double kTolerance = 1e-5;

/// The model that the adapter was made for.
struct Golden {
  models::Mlp model;
  SafetensorsFile expected = load_safetensors(kGolden / "expected.safetensors");
  Golden() {
    nn::load_weights(model, kGolden / "model.safetensors");
    model.eval();
  }
  Tensor logits() const { return model(expected.at("x")).detach(); }
};

Json read(const fs::path& file) { return Json::parse(read_text_file(file)); }

/// A copy of the golden folder that a test may spoil.
struct Folder {
  TempFolder temp;
  Folder() { fs::copy(kGolden / "lora", temp.path()); }
  fs::path path() const { return temp.path(); }

  void write_config(const std::string& text) const { write_file_atomically(path() / kConfig, text); }
  void change_config(const std::function<void(Json&)>& change) const {
    Json config = read(path() / kConfig);
    change(config);
    write_config(config.dump());
  }
  void change_tensors(const std::function<void(NamedTensors&)>& change) const {
    NamedTensors tensors = load_safetensors(path() / kTensors).tensors;
    change(tensors);
    save_safetensors(path() / kTensors, tensors);
  }
};

/// Loading fails with this text, and the model is what it was.
void check_refused(const Folder& folder, const std::vector<std::string>& parts) {
  Golden golden;
  golden.model.parameters()[1].requires_grad_(false);
  const Tensor before = golden.logits();
  const PhiloxState state = default_generator().state();
  const std::string error = error_of([&] { load_adapter(golden.model, folder.path()); });
  CHECK_THAT(error, Contains(folder.path().string()));
  for (const std::string& part : parts) {
    CHECK_THAT(error, Contains(part));
  }
  for (const NamedLayer& layer : adaptable_layers(golden.model)) {
    CHECK(layer.layer->adapter_names().empty());
  }
  const auto parameters = golden.model.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CHECK(parameters[i].requires_grad() == (i != 1));
  }
  CHECK(same_bits(golden.logits(), before));
  CHECK(default_generator().state() == state);
}

Tensor& tensor_at(NamedTensors& tensors, const std::string& key) {
  for (auto& [name, tensor] : tensors) {
    if (name == key) {
      return tensor;
    }
  }
  fail("test", "no tensor ", key);
}

const std::string kKey = "base_model.model.fc2.lora_A.weight";

}  // namespace

TEST_CASE("peft: all-linear is written as the names of the layers", "[peft]") {
  for (const char* word : {"all-linear", "ALL-Linear"}) {
    Golden golden;
    const TempFolder folder;
    save_adapter(attach(golden.model, LoraConfig{.r = 2, .target_modules = word}), folder.path());
    CHECK(read(folder.path() / kConfig).at("target_modules") == Json({"fc1", "fc2", "fc3"}));
  }
}

TEST_CASE("peft: a model and an adapter made by PyTorch and PEFT give their logits", "[peft]") {
  Golden golden;
  CHECK(max_difference(golden.logits(), golden.expected.at("logits.base")) <= kTolerance);
  const AttachedAdapter adapter = load_adapter(golden.model, kGolden / "lora");
  CHECK(max_difference(golden.logits(), golden.expected.at("logits.lora")) <= kTolerance);
  CHECK(max_difference(golden.logits(), golden.expected.at("logits.base")) > 100 * kTolerance);
  CHECK(adapter.numel() == 4 * (784 + 64 + 64 + 64 + 64 + 10));
  merge_adapters(golden.model);
  CHECK(max_difference(golden.logits(), golden.expected.at("logits.lora")) <= kTolerance);
  unmerge_adapters(golden.model);
  set_adapters_enabled(golden.model, false);
  CHECK(max_difference(golden.logits(), golden.expected.at("logits.base")) <= kTolerance);
}

TEST_CASE("peft: what is loaded is frozen, but for the adapter", "[peft]") {
  Golden golden;
  const AttachedAdapter adapter = load_adapter(golden.model, kGolden / "lora", "digits");
  CHECK(adapter.name() == "digits");
  CHECK(golden.model.trainable_parameters().size() == 6);
  for (const Tensor& parameter : golden.model.parameters()) {
    CHECK_FALSE(parameter.requires_grad());
  }
  CHECK_THAT(error_of([&] { load_adapter(golden.model, kGolden / "lora", "digits"); }), Contains("'digits' already"));
  CHECK(golden.model.trainable_parameters().size() == 6);
}

TEST_CASE("peft: saving a loaded adapter gives its tensors again", "[peft]") {
  Golden golden;
  const AttachedAdapter adapter = load_adapter(golden.model, kGolden / "lora");
  const TempFolder folder;
  const fs::path nested = folder / "a";
  save_adapter(adapter, nested / "b");
  const SafetensorsFile saved = load_safetensors(nested / "b" / kTensors);
  const SafetensorsFile original = load_safetensors(kGolden / "lora" / kTensors);
  CHECK(saved.metadata == std::map<std::string, std::string>{{"format", "pt"}});
  REQUIRE(saved.tensors.size() == original.tensors.size());
  for (const auto& [key, tensor] : original.tensors) {
    CHECK(same_bits(saved.at(key), tensor));
  }
  Golden other;
  load_adapter(other.model, nested / "b");
  CHECK(same_bits(other.logits(), golden.logits()));
  save_adapter(adapter, nested / "b");  // over itself
  CHECK(same_bits(load_safetensors(nested / "b" / kTensors).at(kKey), original.at(kKey)));
}

TEST_CASE("peft: the configuration has the keys that PEFT reads, with its values", "[peft]") {
  models::Mlp model;
  LoraConfig config;
  config.r = 3;
  config.lora_alpha = 4.5;
  config.lora_dropout = 0.25;
  config.use_rslora = true;
  config.target_modules = {"fc1", "fc2"};
  config.exclude_modules = "fc2";
  config.init_lora_weights = LoraInit::gaussian;
  const TempFolder folder;
  save_adapter(attach(model, config), folder.path());
  const Json json = read(folder / kConfig);
  CHECK(json.at("peft_type") == "LORA");
  CHECK(json.at("r") == 3);
  CHECK(json.at("lora_alpha") == 4.5);
  CHECK(json.at("lora_dropout") == 0.25);
  CHECK(json.at("use_rslora") == true);
  CHECK(json.at("use_dora") == false);
  CHECK(json.at("bias") == "none");
  CHECK(json.at("fan_in_fan_out") == false);
  CHECK(json.at("init_lora_weights") == "gaussian");
  CHECK(json.at("target_modules") == Json{"fc1", "fc2"});
  CHECK(json.at("exclude_modules") == "fc2");
  CHECK(json.at("task_type").is_null());
  CHECK(json.at("inference_mode") == true);
  CHECK(json.at("base_model_name_or_path").is_null());
  const auto method = std::dynamic_pointer_cast<const LoraMethod>(read_adapter_config(folder.path()));
  REQUIRE(method != nullptr);
  CHECK(method->config().r == 3);
  CHECK(method->config().lora_alpha == 4.5);
  CHECK(method->config().lora_dropout == 0.25);
  CHECK(method->config().use_rslora);
  CHECK(method->config().init_lora_weights == LoraInit::gaussian);
  CHECK(method->config().target_modules.names() == std::vector<std::string>{"fc1", "fc2"});
  CHECK(method->config().exclude_modules.pattern() == "fc2");
  const SafetensorsFile file = load_safetensors(folder / kTensors);
  CHECK(file.tensors.size() == 2);
  CHECK(file.at("base_model.model.fc1.lora_A.weight").shape() == Shape{3, 784});
  CHECK(file.at("base_model.model.fc1.lora_B.weight").shape() == Shape{64, 3});
}

TEST_CASE("peft: a configuration of few keys has PEFT's defaults, and unknown keys do no harm", "[peft]") {
  const Folder folder;
  folder.write_config(R"({"peft_type":"LORA","target_modules":["fc1"],"some_future_key":{"a":1},"r":null})");
  const auto method = std::dynamic_pointer_cast<const LoraMethod>(read_adapter_config(folder.path()));
  REQUIRE(method != nullptr);
  CHECK(method->config().r == 8);
  CHECK(method->config().lora_alpha == 8.0);
  CHECK(method->config().lora_dropout == 0.0);
  CHECK_FALSE(method->config().use_rslora);
}

TEST_CASE("peft: a configuration that cannot be had is refused by file and key", "[peft]") {
  struct Row {
    const char* key;
    Json value;
    const char* text;
  };
  const std::vector<Row> rows{
      {"peft_type", "IA3", "known are"},
      {"peft_type", "lora", "known are"},
      {"peft_type", nullptr, "known are"},
      {"peft_type", 3, "wrong type"},
      {"r", 0, "at least 1"},
      {"r", -4, "at least 1"},
      {"r", 4.0, "wrong type"},
      {"r", "4", "wrong type"},
      {"r", 9007199254740993, "at most 65536"},
      {"r", 18446744073709551615u, "at most 65536"},
      {"r", 40'000'000, "at most 65536"},
      {"r", true, "wrong type"},
      {"lora_alpha", "8", "wrong type"},
      {"lora_alpha", Json::array(), "wrong type"},
      {"lora_dropout", 1.0, "[0, 1)"},
      {"lora_dropout", -1, "[0, 1)"},
      {"use_rslora", 1, "wrong type"},
      {"use_dora", 1, "wrong type"},
      {"lora_bias", true, "cannot be read here"},
      {"bias", "some", "known are none"},
      {"bias", true, "wrong type"},
      {"fan_in_fan_out", true, "cannot be read here"},
      {"rank_pattern", {{"fc1", 0}}, "at least 1"},
      {"rank_pattern", {{"fc1", "2"}}, "wrong type"},
      {"rank_pattern", Json::array({2}), "must be an object"},
      {"alpha_pattern", {{"fc1", true}}, "wrong type"},
      {"modules_to_save", {"fc9"}, "no module"},
      {"modules_to_save", "fc3", "list of names"},
      {"modules_to_save", {3}, "must hold strings"},
      {"layers_to_transform", {0}, "cannot be read here"},
      {"layers_to_transform", 0, "cannot be read here"},
      {"target_parameters", {"fc1.weight"}, "cannot be read here"},
      {"init_lora_weights", "pissa", "\"gaussian\""},
      {"init_lora_weights", 3, "\"gaussian\""},
      {"target_modules", 3, "list of names or a string"},
      {"target_modules", {1, 2}, "must hold strings"},
      {"target_modules", {{"fc1", true}}, "list of names or a string"},
      {"target_modules", nullptr, "target_modules is empty"},
      {"target_modules", Json::array(), "target_modules is empty"},
      {"target_modules", "fc(", "not a regular expression"},
      {"target_modules", {"conv1"}, "name no layer"},
      {"exclude_modules", 1, "list of names or a string"},
      {"exclude_modules", "(", "not a regular expression"},
  };
  for (const Row& row : rows) {
    INFO(row.key << " = " << row.value.dump());
    const Folder folder;
    folder.change_config([&](Json& config) { config[row.key] = row.value; });
    check_refused(folder, {kConfig, std::string(row.key), row.text});
  }
}

TEST_CASE("peft: a file that is no configuration is refused", "[peft]") {
  const std::string deep(100'000, '[');
  for (const std::string& text : {std::string(), std::string("{"), std::string("[]"), std::string("null"), std::string("\"LORA\""),
                                  std::string("{\"r\": 1e999}"), std::string("{\"peft_type\": \"\xff\"}"), deep, std::string("\0\0", 2),
                                  std::string("{}"), std::string("{\"peft_type\": \"LORA\"} x")}) {
    INFO(text.substr(0, 40));
    const Folder folder;
    folder.write_config(text);
    check_refused(folder, {kConfig});
  }
}

TEST_CASE("peft: values nested deeper than a stack are refused by key", "[peft]") {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  for (const std::string key : {"peft_type", "r", "bias", "target_modules", "init_lora_weights"}) {
    const Folder folder;
    folder.write_config((key == "peft_type" ? "{" : R"({"peft_type": "LORA", )") + ('"' + key + "\": ") + deep + "}");
    CHECK_THAT(error_of([&] { read_adapter_config(folder.path()); }),
               Contains(kConfig) && Contains("'" + key + "'") && Contains("array of 1 entry"));
  }
}

TEST_CASE("peft: missing files and folders are named", "[peft]") {
  for (const char* file : {kConfig, kTensors}) {
    const Folder folder;
    fs::remove(folder.path() / file);
    check_refused(folder, {file});
    fs::create_directory(folder.path() / file);
    check_refused(folder, {file});
  }
  const Folder folder;
  fs::remove_all(folder.path());
  check_refused(folder, {kConfig});
}

TEST_CASE("peft: tensors that do not fit the model are refused by file and key", "[peft]") {
  struct Row {
    const char* what;
    std::function<void(NamedTensors&)> change;
    std::vector<std::string> parts;
  };
  const std::vector<Row> rows{
      {"missing", [](NamedTensors& t) { t.erase(t.begin() + 2); }, {kKey}},
      {"extra",
       [](NamedTensors& t) { t.emplace_back("base_model.model.fc9.lora_A.weight", ones({1})); },
       {"base_model.model.fc9.lora_A.weight"}},
      {"of another method",
       [](NamedTensors& t) { t.emplace_back("base_model.model.fc1.lora_magnitude_vector", ones({64})); },
       {"lora_magnitude_vector"}},
      {"without prefix", [](NamedTensors& t) { t[0].first = "fc1.lora_A.weight"; }, {"'fc1.lora_A.weight'"}},
      {"of another rank",
       [](NamedTensors& t) {
         tensor_at(t, kKey) = ones({5, 64});
       },
       {kKey, "f32[5,64]@cpu", "f32[4,64]@cpu"}},
      {"transposed",
       [](NamedTensors& t) {
         tensor_at(t, kKey) = ones({64, 4});
       },
       {kKey, "f32[64,4]@cpu"}},
      {"of integers",
       [](NamedTensors& t) {
         tensor_at(t, kKey) = zeros({4, 64}, DType::i32);
       },
       {kKey, "i32[4,64]@cpu"}},
      {"none", [](NamedTensors& t) { t.clear(); }, {"base_model.model.fc1.lora_A.weight"}},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    const Folder folder;
    folder.change_tensors(row.change);
    std::vector<std::string> parts = row.parts;
    parts.push_back(kTensors);
    check_refused(folder, parts);
  }
  const Folder folder;
  write_file_atomically(folder.path() / kTensors, std::string_view("not tensors"));
  check_refused(folder, {kTensors});
}

TEST_CASE("peft: another rank or target than the tensors' is refused", "[peft]") {
  const Folder rank;
  rank.change_config([](Json& config) { config["r"] = 5; });
  check_refused(rank, {kTensors, "f32[4,784]@cpu", "f32[5,784]@cpu"});
  const Folder fewer;
  fewer.change_config([](Json& config) { config["target_modules"] = {"fc1"}; });
  check_refused(fewer, {kTensors, "fc2"});
}

TEST_CASE("peft: tensors of 16 bits are converted to the layer's type", "[peft]") {
  const Folder folder;
  folder.change_tensors([](NamedTensors& tensors) {
    for (auto& entry : tensors) {
      entry.second = to(entry.second, DType::bf16);
    }
  });
  Golden golden;
  const AttachedAdapter adapter = load_adapter(golden.model, folder.path());
  CHECK(adapter.parameters().front().dtype() == DType::f32);
  // bf16 keeps 8 bits: A and B are each off by up to 2^-9 of their share in the logits, which are below 10
  CHECK(max_difference(golden.logits(), golden.expected.at("logits.lora")) <= 0.1);
  CHECK(max_difference(golden.logits(), golden.expected.at("logits.lora")) > 0.0);
}

TEST_CASE("peft: a folder that cannot be written is an error, and an adapter in it stays", "[peft]") {
  Golden golden;
  const AttachedAdapter adapter = load_adapter(golden.model, kGolden / "lora");
  const TempFolder folder;
  write_file_atomically(folder / "file", std::string_view("x"));
  CHECK_THAT(error_of([&] { save_adapter(adapter, folder / "file"); }), Contains((folder / "file").string()));
  CHECK(read_text_file(folder / "file") == "x");
}

TEST_CASE("peft: merged adapters are saved as they are", "[peft]") {
  Golden golden;
  const AttachedAdapter adapter = load_adapter(golden.model, kGolden / "lora");
  merge_adapters(golden.model);
  const TempFolder folder;
  save_adapter(adapter, folder.path());
  unmerge_adapters(golden.model);
  Golden other;
  load_adapter(other.model, folder.path());
  CHECK(same_bits(other.logits(), golden.logits()));
}
