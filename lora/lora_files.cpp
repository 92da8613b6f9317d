// LoRA in adapter folders.

#include "lora/config_json.hpp"
#include "lora/lora_method.hpp"
#include "lora/registry.hpp"

namespace lora {

namespace {

LoraInit read_init(const nlohmann::json& config) {
  const auto at = config.find("init_lora_weights");
  if (at == config.end() || at->is_null() || at->is_boolean()) {
    return LoraInit::kaiming;
  }
  // Other schemes (PiSSA, OLoRA, CorDA, LoftQ) change the base weights too, which the folder does not hold.
  require(*at == "gaussian", "adapter_config", "'init_lora_weights' is ", shown(*at), "; known are true, false and \"gaussian\"");
  return LoraInit::gaussian;
}

struct BiasWord {
  const char* word;
  TrainedBias bias;
};

constexpr BiasWord kBiases[] = {{"none", TrainedBias::none}, {"lora_only", TrainedBias::lora_only}, {"all", TrainedBias::all}};

TrainedBias read_bias(const nlohmann::json& config) {
  const auto word = json_value<std::string>(config, "bias", "none");
  for (const BiasWord& row : kBiases) {
    if (word == row.word) {
      return row.bias;
    }
  }
  fail("adapter_config", "'bias' is '", word, "'; known are none, lora_only and all");
}

std::string write_bias(TrainedBias bias) {
  for (const BiasWord& row : kBiases) {
    if (bias == row.bias) {
      return row.word;
    }
  }
  return "none";
}

std::vector<std::string> read_modules(const nlohmann::json& config) {
  const TargetModules modules = read_targets(config, "modules_to_save");
  require(modules.pattern().empty(), "adapter_config", "'modules_to_save' must be a list of names, got '", modules.pattern(), "'");
  return modules.names();
}

std::shared_ptr<const AdapterMethod> read(const nlohmann::json& json) {
  require_neutral(json, {"lora_bias", "use_qalora", "use_bdlora", "fan_in_fan_out", "layers_to_transform", "layers_pattern",
                         "layer_replication", "target_parameters", "trainable_token_indices", "alora_invocation_tokens", "arrow_config",
                         "velora_config", "kasa_config", "monteclora_config", "lora_ga_config"});
  LoraConfig config;
  config.r = json_value<Index>(json, "r", config.r);
  config.lora_alpha = json_value<double>(json, "lora_alpha", config.lora_alpha);
  config.lora_dropout = json_value<double>(json, "lora_dropout", config.lora_dropout);
  config.use_dora = json_value<bool>(json, "use_dora", false);
  config.use_rslora = json_value<bool>(json, "use_rslora", false);
  config.init_lora_weights = read_init(json);
  config.rank_pattern = read_pattern<Index>(json, "rank_pattern");
  config.alpha_pattern = read_pattern<double>(json, "alpha_pattern");
  config.bias = read_bias(json);
  config.modules_to_save = read_modules(json);
  config.target_modules = read_targets(json, "target_modules");
  config.exclude_modules = read_targets(json, "exclude_modules");
  return std::make_shared<const LoraMethod>(std::move(config));
}

void write(const AdapterMethod& method, nlohmann::json& json) {
  const LoraConfig& config = dynamic_cast<const LoraMethod&>(method).config();
  json["r"] = config.r;
  json["lora_alpha"] = write_number(config.lora_alpha);
  json["lora_dropout"] = config.lora_dropout;
  json["use_rslora"] = config.use_rslora;
  json["use_dora"] = config.use_dora;
  json["bias"] = write_bias(config.bias);
  json["modules_to_save"] = write_targets(TargetModules(config.modules_to_save));
  write_pattern(json, "rank_pattern", config.rank_pattern);
  write_pattern(json, "alpha_pattern", config.alpha_pattern);
  json["fan_in_fan_out"] = false;
  if (config.init_lora_weights == LoraInit::gaussian) {
    json["init_lora_weights"] = "gaussian";
  } else {
    json["init_lora_weights"] = true;
  }
}

std::string file_key(std::string_view parameter) {
  return std::string(parameter) + (parameter == "lora_magnitude_vector" ? "" : ".weight");
}

}  // namespace

extern const MethodRow kLoraRow;  // constants are local to their file unless declared so
const MethodRow kLoraRow{"LORA", read, write, file_key};

}  // namespace lora
