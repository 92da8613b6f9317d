// Dynamic low-rank adaptation in adapter folders, in PEFT's form under a type of its own.

#include "lora/config_json.hpp"
#include "lora/dynamic_lora.hpp"
#include "lora/rank_pattern.hpp"
#include "lora/registry.hpp"

namespace lora {

namespace {

std::shared_ptr<const AdapterMethod> read(const nlohmann::json& json) {
  require_neutral(json, {"bias", "modules_to_save"});
  DynamicLoraConfig config;
  config.r = json_value<Index>(json, "r", config.r);
  config.start_r = json_value<Index>(json, "start_r", config.start_r);
  config.lora_alpha = json_value<double>(json, "lora_alpha", config.lora_alpha);
  config.lora_dropout = json_value<double>(json, "lora_dropout", config.lora_dropout);
  config.total_step = json_value<Index>(json, "total_step", config.total_step);
  config.prune_start = json_value<double>(json, "prune_start", config.prune_start);
  config.prune_end = json_value<double>(json, "prune_end", config.prune_end);
  config.prune_interval = json_value<Index>(json, "prune_interval", config.prune_interval);
  config.beta = json_value<double>(json, "beta", config.beta);
  config.dem_weight = json_value<double>(json, "dem_weight", config.dem_weight);
  config.target_modules = read_targets(json, "target_modules");
  config.exclude_modules = read_targets(json, "exclude_modules");
  config.rank_pattern = read_rank_pattern(json);
  return std::make_shared<const DynamicLoraMethod>(std::move(config));
}

void write(const AdapterMethod& method, nlohmann::json& json) {
  const DynamicLoraConfig& config = dynamic_cast<const DynamicLoraMethod&>(method).config();
  json["r"] = config.r;
  json["start_r"] = config.start_rank();
  json["lora_alpha"] = write_number(config.lora_alpha);
  json["lora_dropout"] = config.lora_dropout;
  json["total_step"] = config.total_step;
  json["prune_start"] = config.prune_start;
  json["prune_end"] = config.prune_end;
  json["prune_interval"] = config.prune_interval;
  json["beta"] = config.beta;
  json["dem_weight"] = config.dem_weight;
  json["bias"] = "none";
}

std::string file_key(std::string_view parameter) { return std::string(parameter); }

}  // namespace

extern const MethodRow kDynamicLoraRow;  // constants are local to their file unless declared so
const MethodRow kDynamicLoraRow{"DYNAMIC_LORA", read, write, file_key, write_rank_pattern};

}  // namespace lora
