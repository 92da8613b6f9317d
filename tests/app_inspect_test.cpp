// The command inspect: files and folders of this program and of others, sound and damaged.

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include "core/base/file.hpp"
#include "core/ops/convert.hpp"
#include "core/serialize.hpp"
#include "tests/support/app_results.hpp"
#include "tests/support/source_file.hpp"

namespace {

using namespace lora::test;
using Catch::Matchers::Contains;
using Json = nlohmann::json;
namespace fs = std::filesystem;

const fs::path kGolden = lora::test::source_file("tests/golden/peft_mlp");

std::string golden(const std::string& name) { return (kGolden / name).string(); }

Json inspect(const std::string& path) {
  const Outcome outcome = run_app({"inspect", "--json", path});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(outcome.err.empty());
  const Json json = Json::parse(outcome.out);
  CHECK(json["command"] == "inspect");
  REQUIRE(json["files"].size() == 1);
  return json["files"][0];
}

std::vector<std::string> texts(const Json& objects, const char* key) {
  std::vector<std::string> out;
  for (const Json& object : objects) {
    out.push_back(object[key]);
  }
  return out;
}

std::size_t widest(const std::string& text) {
  std::size_t most = 0;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    most = std::max(most, line.size());
  }
  return most;
}

/// A safetensors file with this header and so many bytes.
void write_raw(const fs::path& path, const std::string& header, std::size_t data_bytes) {
  std::string length;
  for (int shift = 0; shift < 64; shift += 8) {
    length += static_cast<char>((header.size() >> shift) & 0xffu);
  }
  lora::write_file_atomically(path, length + header + std::string(data_bytes, '\0'));
}

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("app: inspect tells layers, models and sizes of weights", "[app]") {
  const Json file = inspect(golden("model.safetensors"));
  CHECK(file["parameters"] == 55050);
  CHECK(file["bytes"] == 220200);
  CHECK(file["file_bytes"] == fs::file_size(kGolden / "model.safetensors"));
  CHECK(file["tensors"] == 6);
  CHECK(file["models"] == Json::array({"mlp"}));
  CHECK(file["adapter"].is_null());
  CHECK(texts(file["layers"], "name") == Strings{"fc1", "fc2", "fc3"});
  CHECK(texts(file["layers"], "kind") == Strings{"Linear 784 -> 64", "Linear 64 -> 64", "Linear 64 -> 10"});
  CHECK(texts(file["layers"][0]["tensors"], "name") == Strings{"fc1.weight", "fc1.bias"});
  CHECK(file["layers"][0]["tensors"][0]["shape"] == Json::array({64, 784}));
  CHECK(file["layers"][0]["tensors"][0]["dtype"] == "f32");
  const Outcome text = run_app({"inspect", golden("model.safetensors")});
  CHECK_THAT(text.out, Contains("fc1: Linear 784 -> 64\n  weight  f32    [64,784]      50,176  196.0 KiB\n"));
  CHECK_THAT(text.out, Contains("55,050 parameters in 6 tensors of 3 layers, 215.0 KiB, f32") && Contains("total  ") && Contains("mlp"));
}

TEST_CASE("app: inspect tells the settings and shapes of an adapter folder", "[app]") {
  const Json lora = inspect(golden("lora"));
  CHECK(lora["adapter"]["method"] == "lora");
  CHECK(lora["adapter"]["rank"] == 4);
  CHECK(lora["adapter"]["alpha"] == 8);
  CHECK(lora["adapter"]["scaling"] == 2);
  CHECK(lora["adapter"]["targets"] == "fc1, fc2, fc3");
  CHECK(lora["adapter"]["config"]["peft_type"] == "LORA");
  CHECK(lora["parameters"] == 4200);
  CHECK(lora["models"] == Json::array({"mlp"}));
  CHECK(lora["layers"][0]["kind"] == "rank 4 for Linear 784 -> 64");
  CHECK(lora["layers"][0]["tensors"][0]["name"] == "base_model.model.fc1.lora_A.weight");
  const Outcome text = run_app({"inspect", golden("lora")});
  CHECK_THAT(text.out, Contains("lora, rank 4, alpha 8, scaling 2") && Contains("4,200 trainable parameters"));
  CHECK_THAT(text.out, Contains("  lora_A.weight  f32    [4,784]       3,136  12.2 KiB\n"));
  const Json dora = inspect(golden("dora"));
  CHECK(dora["adapter"]["method"] == "dora");
  CHECK(dora["parameters"] == 4338);
}

TEST_CASE("app: inspect counts a 4-bit weight as what it stands for", "[app]") {
  const Json file = inspect(golden("model_4bit.safetensors"));
  CHECK(file["parameters"] == 55050);
  CHECK(texts(file["layers"], "kind") == Strings{"Linear 784 -> 64, 4-bit nf4", "Linear 64 -> 64, 4-bit nf4", "Linear 64 -> 10"});
}

TEST_CASE("app: inspect guesses kinds of layers and puts numbers in order", "[app]") {
  const TempFolder folder;
  lora::NamedTensors tensors{{"blocks.10.conv.weight", lora::zeros({8, 4, 3, 5})},
                             {"blocks.2.conv.weight", lora::zeros({8, 4, 3, 3})},
                             {"blocks.2.conv.bias", lora::zeros({8})},
                             {"bn.weight", lora::zeros({8})},
                             {"bn.running_mean", lora::zeros({8})},
                             {"bn.num_batches_tracked", lora::zeros({}, lora::DType::i64)},
                             {"c1.weight", lora::zeros({4, 3, 5})},
                             {"ln.weight", lora::zeros({8}, lora::DType::f64)},
                             {"tok_emb.weight", lora::zeros({100, 8})},
                             {"a.lora_A.weight", lora::zeros({2, 4, 3, 3})},
                             {"a.lora_B.weight", lora::zeros({8, 2, 1, 1})},
                             {"x", lora::zeros({0, 3})}};
  lora::save_safetensors(folder / "all.safetensors", tensors, {{"note", "text\x1b[31m\nnext"}, {"long", std::string(5000, 'w')}});
  const Json file = inspect((folder / "all.safetensors").string());
  CHECK(texts(file["layers"], "name") == Strings{"", "a", "blocks.2.conv", "blocks.10.conv", "bn", "c1", "ln", "tok_emb"});
  CHECK(texts(file["layers"], "kind") == Strings{"", "rank 2 for Conv2d 4 -> 8, 3x3", "Conv2d 4 -> 8, 3x3", "Conv2d 4 -> 8, 3x5",
                                                 "BatchNorm2d 8", "Conv1d 3 -> 4, 5", "Norm 8", "Embedding 100 x 8"});
  CHECK(file["layers"][4]["parameters"] == 8);  // not the statistics
  CHECK(file["models"].empty());
  CHECK(file["metadata"]["note"] == "text\x1b[31m\nnext");
  const Outcome text = run_app({"inspect", (folder / "all.safetensors").string()});
  CHECK_THAT(text.out, Contains("note = text?[31m?next") && !Contains("\x1b") && Contains("none that this program knows"));
}

TEST_CASE("app: inspect reads dtypes and shapes that tensors here do not have, within 100 columns", "[app]") {
  const TempFolder folder;
  std::string header = R"({"__metadata__":{"doc":")";
  for (int i = 0; i < 200; ++i) {
    header += "word ";
  }
  header += R"("},"a.weight":{"dtype":"F8_E4M3","shape":[2,3],"data_offsets":[0,6]},)";
  header += R"("b":{"dtype":"NEW2","shape":[4611686018427387904,4],"data_offsets":[6,7]},)";
  header += R"("c":{"dtype":"F4","shape":[1,1,1,1,1,1,1,1,1,3],"data_offsets":[7,9]},)";
  header += R"("d.weight":{"dtype":"U8","shape":[4,1],"data_offsets":[9,13]},)";
  header += R"("d.weight.quant_state.bitsandbytes__nf4":{"dtype":"U8","shape":[3],"data_offsets":[13,16]}})";
  write_raw(folder / "new.safetensors", header, 16);
  const Json file = inspect((folder / "new.safetensors").string());
  CHECK(file["tensors"] == 5);
  CHECK(texts(file["layers"], "kind") == Strings{"", "Linear 3 -> 2", "Linear 1 -> 4"});
  CHECK(file["layers"][1]["tensors"][0]["dtype"] == "f8_e4m3");
  const Outcome text = run_app({"inspect", (folder / "new.safetensors").string()});
  CHECK(widest(text.out) <= 100);
  CHECK_THAT(text.out, Contains("word .."));
}

TEST_CASE("app: inspect refuses what is not a safetensors file or a PEFT folder, and shows the others", "[app]") {
  const TempFolder folder;
  const auto write = [&folder](const std::string& name, const std::string& text) { lora::write_file_atomically(folder / name, text); };
  const std::string model = lora::read_text_file(kGolden / "model.safetensors");
  write("text", "not a model, but long enough for a header");
  write("empty", "");
  write("cut", model.substr(0, model.size() - 1));
  write("longer", model + "x");
  write_raw(folder / "small", R"({"w":{"dtype":"I8","shape":[3],"data_offsets":[0,2]}})", 2);
  for (const char* name : {"deep", "list", "junk"}) {
    fs::create_directory(folder / name);
    fs::copy_file(kGolden / "lora" / "adapter_model.safetensors", folder.path() / name / "adapter_model.safetensors");
  }
  write("deep/adapter_config.json", R"({"peft_type":)" + std::string(100000, '[') + std::string(100000, ']') + "}");
  write("list/adapter_config.json", "[1]");
  write("junk/adapter_config.json", "{\"r\":");
  fs::create_directory(folder / "bare");
  write("bare/adapter_config.json", "{}");
  const std::vector<std::pair<std::string, std::string>> bad{{"text", "is this a safetensors file?"},
                                                             {"empty", "0 bytes"},
                                                             {"cut", "cut short"},
                                                             {"longer", "last 1 bytes"},
                                                             {"small", "i8[3] needs 3"},
                                                             {"missing", "missing"},
                                                             {"", "adapter_config.json"},
                                                             {"deep", "nested deeper"},
                                                             {"list", "no JSON object"},
                                                             {"junk", "adapter_config.json is not the JSON"},
                                                             {"bare", "adapter_model.safetensors"}};
  for (const auto& [name, text] : bad) {
    INFO(name);
    for (const char* flag : {"--quiet", "--json"}) {
      const Outcome outcome = run_app({"inspect", (folder / name).string(), flag});
      CHECK(outcome.status == 1);
      CHECK(outcome.out.empty());
      CHECK_THAT(outcome.err, Contains("mnist_lora: error: ") && Contains(text));
    }
  }
  const Outcome mixed = run_app({"inspect", (folder / "cut").string(), golden("model.safetensors"), (folder / "text").string()});
  CHECK(mixed.status == 1);
  CHECK_THAT(mixed.out, Contains("model.safetensors\n") && Contains("fc3"));
  CHECK_THAT(mixed.err, Contains("/cut: ") && Contains("/text: "));
  const Outcome json = run_app({"inspect", "--json", (folder / "cut").string(), golden("model.safetensors")});
  CHECK(json.status == 1);
  CHECK(json.out.empty());
}

TEST_CASE("app: inspect takes settings of an adapter that are not as PEFT writes them", "[app]") {
  const TempFolder folder;
  fs::copy_file(kGolden / "lora" / "adapter_model.safetensors", folder / "adapter_model.safetensors");
  const auto adapter_of = [&folder](const std::string& config) {
    lora::write_file_atomically(folder / "adapter_config.json", config);
    const Outcome outcome = run_app({"inspect", folder.path().string()});
    CHECK(outcome.status == 0);
    return inspect(folder.path().string())["adapter"];
  };
  const Json strange = adapter_of(R"({"peft_type":7,"r":"x","lora_alpha":[],"target_modules":[1,"b"],"use_dora":"yes"})");
  CHECK(strange["method"] == "");
  CHECK(strange["rank"].is_null());
  CHECK(strange["scaling"].is_null());
  CHECK(strange["targets"] == "?, b");
  CHECK(adapter_of(R"({"peft_type":"LOHA","r":0,"alpha":4})")["scaling"].is_null());
  const Json scaled = adapter_of(R"({"peft_type":"LORA","r":4,"lora_alpha":6,"use_rslora":true,"target_modules":"fc[12]"})");
  CHECK(scaled["scaling"] == 3);
  CHECK(scaled["targets"] == "fc[12]");
}
