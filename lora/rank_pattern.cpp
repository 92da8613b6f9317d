#include "lora/rank_pattern.hpp"

#include <algorithm>

#include "lora/config_json.hpp"
#include "lora/gated_adapter.hpp"

namespace lora {

namespace {

constexpr const char* kKey = "rank_pattern";

std::string key_of(std::string_view path, std::string_view gate) {
  return std::string(path) + (path.empty() ? "" : ".") + std::string(gate);
}

std::vector<bool> read_components(const std::string& name, const nlohmann::json& list) {
  require(list.is_array(), "adapter_config", "'", kKey, "' of ", name, " must be a list of true and false, got ", shown(list));
  std::vector<bool> components;
  for (const nlohmann::json& value : list) {
    require(value.is_boolean(), "adapter_config", "'", kKey, "' of ", name, " must hold true and false, got ", shown(value));
    components.push_back(value.get<bool>());
  }
  return components;
}

}  // namespace

std::vector<bool> kept_components(const RankPattern& pattern, std::string_view path, std::string_view gate, Index rank) {
  const auto at = pattern.find(key_of(path, gate));
  if (at == pattern.end()) {
    return std::vector<bool>(static_cast<std::size_t>(rank), true);
  }
  require(static_cast<Index>(at->second.size()) == rank, "adapter", "rank_pattern of ", at->first, " has ", at->second.size(),
          " components, the adapter begins with ", rank);
  return at->second;
}

RankPattern read_rank_pattern(const nlohmann::json& config) {
  const auto at = config.find(kKey);
  if (at == config.end() || at->is_null()) {
    return {};
  }
  require(at->is_object(), "adapter_config", "'", kKey, "' must name lists of true and false, got ", shown(*at));
  RankPattern pattern;
  for (const auto& entry : at->items()) {
    pattern[entry.key()] = read_components(entry.key(), entry.value());
  }
  return pattern;
}

void write_rank_pattern(const AttachedAdapter& adapter, nlohmann::json& config) {
  nlohmann::json pattern = nlohmann::json::object();
  bool pruned = false;
  for (const auto& [path, layer] : adapter.layers()) {
    const auto& gated = dynamic_cast<const GatedAdapter&>(*layer->adapter(adapter.name()));
    const std::vector<bool>& kept = gated.kept();
    pattern[key_of(path, gated.named_parameters().at(1).name)] = kept;
    pruned = pruned || std::find(kept.begin(), kept.end(), false) != kept.end();
  }
  config[kKey] = pruned ? pattern : nlohmann::json(nullptr);
}

}  // namespace lora
