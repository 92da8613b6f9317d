#pragma once
// Reading and writing the common part of `adapter_config.json`. Not installed: it names the JSON library.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "lora/method.hpp"

namespace lora {

/// A value for an error text: scalars as they are, shortened; of lists and objects the number of entries, since a damaged file may
/// nest them deeper than a stack.
std::string shown(const nlohmann::json& value);

/// config[key] as a T, or `fallback` if the key is missing or null. @throws Error naming the key on another type
template <class T>
T json_value(const nlohmann::json& config, std::string_view key, T fallback) {
  const auto at = config.find(key);
  if (at == config.end() || at->is_null()) {
    return fallback;
  }
  const bool fits = std::is_same_v<T, bool>          ? at->is_boolean()
                    : std::is_same_v<T, std::string> ? at->is_string()
                    : std::is_integral_v<T>          ? at->is_number_integer()
                                                     : at->is_number();
  require(fits, "adapter_config", "'", key, "' has the wrong type: ", shown(*at));
  return at->template get<T>();
}

/// A list of names or a pattern; null and missing are empty. @throws Error naming the key
TargetModules read_targets(const nlohmann::json& config, std::string_view key);

nlohmann::json write_targets(const TargetModules& targets);

/// Refuses keys that change an adapter's function in a way that this library does not have, unless they have their neutral value.
/// @throws Error naming the key and its value
void require_neutral(const nlohmann::json& config, std::initializer_list<std::string_view> keys);

/// A number as PEFT writes it: whole ones without a point.
nlohmann::json write_number(double value);

}  // namespace lora
