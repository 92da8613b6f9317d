// AdaLoRA in adapter folders.

#include "lora/adalora.hpp"
#include "lora/config_json.hpp"
#include "lora/rank_pattern.hpp"
#include "lora/registry.hpp"

namespace lora {

namespace {

void read_schedule(const nlohmann::json& json, AdaLoraConfig& config) {
  config.target_r = json_value<Index>(json, "target_r", config.target_r);
  config.init_r = json_value<Index>(json, "init_r", config.init_r);
  config.tinit = json_value<Index>(json, "tinit", config.tinit);
  config.tfinal = json_value<Index>(json, "tfinal", config.tfinal);
  config.deltaT = json_value<Index>(json, "deltaT", config.deltaT);
  config.total_step = json_value<Index>(json, "total_step", config.total_step);
}

std::shared_ptr<const AdapterMethod> read(const nlohmann::json& json) {
  require_neutral(json, {"bias", "lora_bias", "use_dora", "use_rslora", "fan_in_fan_out", "alpha_pattern", "modules_to_save",
                         "layers_to_transform", "layers_pattern", "layer_replication", "target_parameters", "trainable_token_indices"});
  AdaLoraConfig config;
  read_schedule(json, config);
  config.beta1 = json_value<double>(json, "beta1", config.beta1);
  config.beta2 = json_value<double>(json, "beta2", config.beta2);
  config.orth_reg_weight = json_value<double>(json, "orth_reg_weight", config.orth_reg_weight);
  config.lora_alpha = json_value<double>(json, "lora_alpha", config.lora_alpha);
  config.lora_dropout = json_value<double>(json, "lora_dropout", config.lora_dropout);
  config.target_modules = read_targets(json, "target_modules");
  config.exclude_modules = read_targets(json, "exclude_modules");
  config.rank_pattern = read_rank_pattern(json);
  return std::make_shared<const AdaLoraMethod>(std::move(config));
}

void write(const AdapterMethod& method, nlohmann::json& json) {
  const AdaLoraConfig& config = dynamic_cast<const AdaLoraMethod&>(method).config();
  json["target_r"] = config.target_r;
  json["init_r"] = config.init_r;
  json["tinit"] = config.tinit;
  json["tfinal"] = config.tfinal;
  json["deltaT"] = config.deltaT;
  json["beta1"] = config.beta1;
  json["beta2"] = config.beta2;
  json["orth_reg_weight"] = config.orth_reg_weight;
  json["total_step"] = config.total_step;
  json["lora_alpha"] = write_number(config.lora_alpha);
  json["lora_dropout"] = config.lora_dropout;
  json["bias"] = "none";
  json["fan_in_fan_out"] = false;
  json["init_lora_weights"] = true;
}

std::string file_key(std::string_view parameter) { return std::string(parameter); }

}  // namespace

extern const MethodRow kAdaLoraRow;  // constants are local to their file unless declared so
const MethodRow kAdaLoraRow{"ADALORA", read, write, file_key, write_rank_pattern, true};

}  // namespace lora
