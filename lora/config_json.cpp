#include "lora/config_json.hpp"

#include <cmath>

namespace lora {

namespace {

bool is_neutral(const nlohmann::json& value) {
  return value.is_null() || value == false || value == "none" || (value.is_structured() && value.empty());
}

}  // namespace

std::string shown(const nlohmann::json& value) {
  if (value.is_structured()) {
    return std::string(value.type_name()) + " of " + std::to_string(value.size()) + (value.size() == 1 ? " entry" : " entries");
  }
  constexpr std::size_t kLongest = 100;
  const std::string text = value.dump(-1, ' ', true);  // ASCII, so that a cut never splits a character
  return text.size() <= kLongest ? text : text.substr(0, kLongest) + "..";
}

TargetModules read_targets(const nlohmann::json& config, std::string_view key) {
  const auto at = config.find(key);
  if (at == config.end() || at->is_null()) {
    return {};
  }
  if (at->is_string()) {
    return TargetModules(at->get<std::string>());
  }
  require(at->is_array(), "adapter_config", "'", key, "' must be a list of names or a string, got ", shown(*at));
  std::vector<std::string> names;
  for (const nlohmann::json& name : *at) {
    require(name.is_string(), "adapter_config", "'", key, "' must hold strings, got ", shown(name));
    names.push_back(name.get<std::string>());
  }
  return TargetModules(std::move(names));
}

nlohmann::json write_targets(const TargetModules& targets) {
  if (!targets.pattern().empty()) {
    return targets.pattern();
  }
  return targets.names().empty() ? nlohmann::json(nullptr) : nlohmann::json(targets.names());
}

void require_neutral(const nlohmann::json& config, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    const auto at = config.find(key);
    require(at == config.end() || is_neutral(*at), "adapter_config", "'", key, "' is ", at == config.end() ? "" : shown(*at),
            ", which changes the adapter in a way that cannot be read here");
  }
}

nlohmann::json write_number(double value) {
  if (std::nearbyint(value) == value && std::abs(value) < 1e15) {
    return static_cast<std::int64_t>(value);
  }
  return value;
}

}  // namespace lora
