#include "lora/config_json.hpp"

#include <cmath>

namespace lora {

namespace {

constexpr const char* kOrder = "#order";
constexpr const char* kOrdered[] = {"alpha_pattern", "rank_pattern"};

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

std::string order_key(const std::string& key) { return key + kOrder; }

std::vector<std::string> keys_in_order(const nlohmann::json& config, const std::string& key) {
  const auto order = config.find(order_key(key));
  if (order != config.end()) {
    return order->get<std::vector<std::string>>();
  }
  std::vector<std::string> keys;
  for (const auto& entry : config.at(key).items()) {
    keys.push_back(entry.key());
  }
  return keys;
}

nlohmann::json parse_config(const std::string& text) {
  nlohmann::json json = nlohmann::json::parse(text);
  require(json.is_object(), "adapter_config", "the file must hold a JSON object");
  const auto as_written = nlohmann::ordered_json::parse(text);
  for (const char* key : kOrdered) {
    json.erase(order_key(key));
    if (json.contains(key) && json[key].is_object()) {
      nlohmann::json& order = json[order_key(key)] = nlohmann::json::array();
      for (const auto& entry : as_written[key].items()) {
        order.push_back(entry.key());
      }
    }
  }
  return json;
}

std::string config_text(const nlohmann::json& config) {
  nlohmann::ordered_json out;
  for (const auto& entry : config.items()) {
    const std::string& key = entry.key();
    if (key.ends_with(kOrder)) {
      continue;
    }
    out[key] = entry.value();
    if (config.contains(order_key(key))) {
      out[key] = nlohmann::ordered_json::object();
      for (const std::string& name : keys_in_order(config, key)) {
        out[key][name] = entry.value().at(name);
      }
    }
  }
  return out.dump(2) + "\n";
}

nlohmann::json write_number(double value) {
  if (std::nearbyint(value) == value && std::abs(value) < 1e15) {
    return static_cast<std::int64_t>(value);
  }
  return value;
}

}  // namespace lora
