#pragma once
// Reading and writing the common part of `adapter_config.json`. Not installed: it names the JSON library.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lora/method.hpp"

namespace lora {

/// A value for an error text: scalars as they are, shortened; of lists and objects the number of entries, since a damaged file may
/// nest them deeper than a stack.
std::string shown(const nlohmann::json& value);

/// A JSON value as a T. @throws Error with `what` on another type
template <class T>
T typed(const nlohmann::json& value, std::string_view what) {
  const bool fits = std::is_same_v<T, bool>          ? value.is_boolean()
                    : std::is_same_v<T, std::string> ? value.is_string()
                    : std::is_integral_v<T>          ? value.is_number_integer()
                                                     : value.is_number();
  require(fits, "adapter_config", what, " has the wrong type: ", shown(value));
  return value.get<T>();
}

/// config[key] as a T, or `fallback` if the key is missing or null. @throws Error naming the key on another type
template <class T>
T json_value(const nlohmann::json& config, std::string_view key, T fallback) {
  const auto at = config.find(key);
  return at == config.end() || at->is_null() ? fallback : typed<T>(*at, "'" + std::string(key) + "'");
}

/// A list of names or a pattern; null and missing are empty. @throws Error naming the key
TargetModules read_targets(const nlohmann::json& config, std::string_view key);

nlohmann::json write_targets(const TargetModules& targets);

/// Refuses keys that change an adapter's function in a way that this library does not have, unless they have their neutral value.
/// @throws Error naming the key and its value
void require_neutral(const nlohmann::json& config, std::initializer_list<std::string_view> keys);

/// A number as PEFT writes it: whole ones without a point.
nlohmann::json write_number(double value);

/// Under which key a configuration in memory has the order of the keys of `key`.
std::string order_key(const std::string& key);

/// The keys of the object config[key], in the order of the file where that is known.
std::vector<std::string> keys_in_order(const nlohmann::json& config, const std::string& key);

/// The JSON object of a configuration. JSON objects of this library are sorted, but of patterns the first key that fits counts: the order
/// of the keys of KEY in the file is kept as a list beside it. @throws Error if it is no object
nlohmann::json parse_config(const std::string& text);

/// The text of a configuration: the inverse of parse_config().
std::string config_text(const nlohmann::json& config);

/// An object of values by pattern, in its order. @throws Error naming the key
template <class T>
std::vector<std::pair<std::string, T>> read_pattern(const nlohmann::json& config, const std::string& key) {
  const auto at = config.find(key);
  std::vector<std::pair<std::string, T>> pattern;
  if (at == config.end() || at->is_null()) {
    return pattern;
  }
  require(at->is_object(), "adapter_config", "'", key, "' must be an object, got ", shown(*at));
  for (const std::string& name : keys_in_order(config, key)) {
    pattern.emplace_back(name, typed<T>(at->at(name), "'" + key + "' of '" + name + "'"));
  }
  return pattern;
}

/// Writes config[key] with its order.
template <class T>
void write_pattern(nlohmann::json& config, const std::string& key, const std::vector<std::pair<std::string, T>>& pattern) {
  config[key] = nlohmann::json::object();
  nlohmann::json& order = config[order_key(key)] = nlohmann::json::array();
  for (const auto& entry : pattern) {
    if (!config[key].contains(entry.first)) {
      config[key][entry.first] = write_number(static_cast<double>(entry.second));
      order.push_back(entry.first);
    }
  }
}

}  // namespace lora
