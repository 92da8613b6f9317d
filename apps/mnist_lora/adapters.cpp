#include "apps/mnist_lora/adapters.hpp"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "lora/registry.hpp"
#include "nn/batch_norm.hpp"

namespace mnist_lora {

namespace {

struct Row {
  const char* name;
  const char* peft_type;
  /// Adds to adapter_config.json's common keys those of the method.
  void (*settings)(const AdapterRequest& request, nlohmann::json& config);
  bool four_bit = false;  ///< the base is in 4 bits
};

void lora_settings(const AdapterRequest& request, nlohmann::json& config) { config["r"] = request.rank; }

/// Half as many ranks again to choose from; nothing is pruned in the first tenth of the steps, and in the last half the ranks are final.
void adalora_settings(const AdapterRequest& request, nlohmann::json& config) {
  const std::int64_t steps = std::max<std::int64_t>(1, request.steps);
  config["target_r"] = request.rank;
  config["init_r"] = (3 * request.rank + 1) / 2;
  config["total_step"] = steps;
  config["tinit"] = steps / 10;
  config["tfinal"] = steps / 2;
  config["deltaT"] = std::max<std::int64_t>(1, steps / 200);
}

void dynamic_settings(const AdapterRequest& request, nlohmann::json& config) {
  config["r"] = request.rank;
  config["total_step"] = std::max<std::int64_t>(1, request.steps);
}

void dora_settings(const AdapterRequest& request, nlohmann::json& config) {
  lora_settings(request, config);
  config["use_dora"] = true;
}

constexpr Row kAdapters[] = {
    {"lora", "LORA", lora_settings},
    {"dora", "LORA", dora_settings},
    {"qlora", "LORA", lora_settings, true},
    {"adalora", "ADALORA", adalora_settings},
    {"dynamic", "DYNAMIC_LORA", dynamic_settings},
};

const Row& row_of(const std::string& name) {
  const Row* end = std::end(kAdapters);
  const Row* found = std::find_if(std::begin(kAdapters), end, [&name](const Row& row) { return name == row.name; });
  lora::require(found != end, "adapter", "there is no adapter '", name, "' to train");
  return *found;
}

bool is_name(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.' || c == ','; });
}

std::vector<std::string> names_in(const std::string& list) {
  std::vector<std::string> names;
  std::istringstream in(list);
  for (std::string name; std::getline(in, name, ',');) {
    lora::require(!name.empty(), "adapter", "--target '", list, "' has an empty name");
    names.push_back(name);
  }
  return names;
}

nlohmann::json targets_of(const std::string& target, lora::nn::Module& model) {
  if (target != "all") {
    return is_name(target) ? nlohmann::json(names_in(target)) : nlohmann::json(target);
  }
  std::vector<std::string> paths;
  for (const lora::NamedLayer& layer : lora::adaptable_layers(model)) {
    paths.push_back(layer.path);
  }
  return paths;
}

std::vector<std::string> norms_of(const lora::nn::Module& model) {
  std::vector<std::string> paths;
  for (const auto& [path, module] : model.named_modules()) {
    if (dynamic_cast<const lora::nn::BatchNorm2d*>(module) != nullptr) {
      paths.push_back(path);
    }
  }
  return paths;
}

}  // namespace

std::vector<std::string> adapter_names() {
  std::vector<std::string> names;
  for (const Row& row : kAdapters) {
    names.emplace_back(row.name);
  }
  return names;
}

bool is_on_4_bits(const std::string& adapter) { return adapter != "none" && row_of(adapter).four_bit; }

std::shared_ptr<const lora::AdapterMethod> make_method(const AdapterRequest& request, lora::nn::Module& model) {
  const Row& row = row_of(request.adapter);
  nlohmann::json config{{"peft_type", row.peft_type}, {"lora_alpha", request.alpha}, {"target_modules", targets_of(request.target, model)}};
  row.settings(request, config);
  if (request.own_norms) {
    config["modules_to_save"] = norms_of(model);
  }
  return lora::method_row(row.peft_type).read(config);
}

}  // namespace mnist_lora
