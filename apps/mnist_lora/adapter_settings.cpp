#include "apps/mnist_lora/adapter_settings.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/base/error.hpp"
#include "core/base/file.hpp"

namespace mnist_lora {

namespace {

using Json = nlohmann::ordered_json;
constexpr int kMaxDepth = 32;  // PEFT needs 3; a value is written and destroyed by recursion

Json parse(const std::filesystem::path& file) {
  const std::string text = lora::read_text_file(file);
  const auto flat_enough = [&file](int depth, Json::parse_event_t, Json&) {
    lora::require(depth < kMaxDepth, "adapter", file.string(), " is nested deeper than ", kMaxDepth, " levels; it is damaged");
    return true;
  };
  try {
    Json json = Json::parse(text, flat_enough);
    lora::require(json.is_object(), "adapter", file.string(), " holds no JSON object but ", json.type_name(), "; it is damaged");
    return json;
  } catch (const Json::exception& error) {
    lora::fail("adapter", file.string(), " is not the JSON of an adapter: ", error.what());
  }
}

std::string text_at(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_string() ? at->get<std::string>() : "";
}

std::optional<double> number_at(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_number() ? std::optional(at->get<double>()) : std::nullopt;
}

bool flag_at(const Json& json, const char* key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_boolean() && at->get<bool>();
}

std::string method_of(const Json& json) {
  std::string method = flag_at(json, "use_dora") ? "dora" : text_at(json, "peft_type");
  std::transform(method.begin(), method.end(), method.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return method;
}

/// The rank that the scaling is of: methods that prune scale by that of the start.
const char* rank_key(const std::string& method) { return method == "adalora" ? "init_r" : method == "dynamic_lora" ? "start_r" : "r"; }

/// PEFT writes its sets in any order.
std::string targets_of(const Json& json) {
  const auto at = json.find("target_modules");
  if (at == json.end() || !at->is_array()) {
    return text_at(json, "target_modules");
  }
  std::vector<std::string> names;
  for (const Json& name : *at) {
    names.push_back(name.is_string() ? name.get<std::string>() : "?");
  }
  std::sort(names.begin(), names.end());
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

}  // namespace

std::optional<double> AdapterSettings::scaling() const {
  if (!rank || !alpha || *rank < 1) {
    return std::nullopt;
  }
  const auto r = static_cast<double>(*rank);
  return *alpha / (rslora ? std::sqrt(r) : r);
}

AdapterSettings read_adapter_settings(const std::filesystem::path& folder) {
  AdapterSettings settings;
  settings.all = parse(folder / "adapter_config.json");
  const Json& json = settings.all;
  settings.method = method_of(json);
  settings.base = text_at(json, "base_model_name_or_path");
  const auto rank = json.find(rank_key(settings.method));
  if (rank != json.end() && rank->is_number_integer()) {
    settings.rank = rank->get<std::int64_t>();
  }
  settings.alpha = number_at(json, "lora_alpha");
  settings.dropout = number_at(json, "lora_dropout");
  settings.rslora = flag_at(json, "use_rslora");
  settings.targets = targets_of(json);
  return settings;
}

}  // namespace mnist_lora
