#pragma once
// Which components of an adapter's layers are there after pruning, as PEFT writes it in `rank_pattern`. Not installed: it names the JSON
// library.

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "lora/attach.hpp"

namespace lora {

/// By `PATH.GATE`, as `fc1.lora_E`.
using RankPattern = std::map<std::string, std::vector<bool>>;

/// The components of one layer: all of them if the pattern does not name it.
/// @param rank  how many the layer begins with. @throws Error naming the layer if the pattern has another number
std::vector<bool> kept_components(const RankPattern& pattern, std::string_view path, std::string_view gate, Index rank);

/// `rank_pattern` of adapter_config.json. @throws Error if it is no object of lists of booleans
RankPattern read_rank_pattern(const nlohmann::json& config);

/// Writes `rank_pattern`: null unless components were removed from a layer.
void write_rank_pattern(const AttachedAdapter& adapter, nlohmann::json& config);

}  // namespace lora
