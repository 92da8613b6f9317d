#include "lora/peft_files.hpp"

#include <map>

#include "core/autograd.hpp"
#include "core/base/file.hpp"
#include "core/ops/view.hpp"
#include "core/serialize.hpp"
#include "lora/config_json.hpp"
#include "lora/registry.hpp"

namespace lora {

namespace {

constexpr std::string_view kConfigFile = "adapter_config.json";
constexpr std::string_view kTensorFile = "adapter_model.safetensors";
constexpr std::string_view kPrefix = "base_model.model.";

/// Runs f; errors of it name the file.
template <class F>
auto in_file(const std::filesystem::path& file, F&& f) {
  try {
    return f();
  } catch (const Error& error) {
    throw Error(file.string() + ": " + error.what());
  } catch (const nlohmann::json::exception& error) {
    fail("adapter_config", file.string(), " is not the JSON of an adapter: ", error.what());
  }
}

nlohmann::json read_json(const std::filesystem::path& file) {
  const std::string text = read_text_file(file);
  return in_file(file, [&] { return parse_config(text); });
}

/// Where a tensor of the model is in the file: PEFT has the layers that it adapts inside of others.
std::string file_path(const AttachedAdapter& adapter, const std::string& path) {
  for (const NamedLayer& layer : adapter.layers()) {
    if (path == (layer.path.empty() ? "" : layer.path + ".") + "bias") {
      return (layer.path.empty() ? "" : layer.path + ".") + "base_layer.bias";
    }
  }
  return path;
}

/// The adapter's tensors by their names in the file, as views of the shape that they have there.
std::map<std::string, Tensor> tensors_by_key(const AttachedAdapter& adapter) {
  const MethodRow& row = method_row(adapter.method().peft_type());
  std::map<std::string, Tensor> tensors;
  for (const auto& [path, layer] : adapter.layers()) {
    const nn::Adapter* attached = layer->adapter(adapter.name());
    require(attached != nullptr, "adapter", "'", adapter.name(), "' is no longer attached to ", path);
    for (const auto& [parameter, tensor] : attached->named_parameters()) {
      tensors.emplace(std::string(kPrefix) + path + (path.empty() ? "" : ".") + row.file_key(parameter),
                      row.matrices ? flatten(tensor.detach(), 1) : tensor.detach());
    }
  }
  if (const nn::Overlay* own = adapter.overlay()) {
    for (const auto& [path, tensor] : own->values()) {
      tensors.emplace(std::string(kPrefix) + file_path(adapter, path), tensor.detach());
    }
  }
  return tensors;
}

/// The names of the layers where the targets are a word.
nlohmann::json targets_of(const AttachedAdapter& adapter) {
  const TargetModules& targets = adapter.method().target_modules();
  if (!targets.is_word()) {
    return write_targets(targets);
  }
  std::vector<std::string> paths;
  for (const auto& [path, layer] : adapter.layers()) {
    paths.push_back(path);
  }
  return paths;
}

nlohmann::json config_of(const AttachedAdapter& adapter) {
  const AdapterMethod& method = adapter.method();
  nlohmann::json config;
  config["peft_type"] = method.peft_type();
  config["target_modules"] = targets_of(adapter);
  config["exclude_modules"] = write_targets(method.exclude_modules());
  config["base_model_name_or_path"] = nullptr;
  config["task_type"] = nullptr;
  config["modules_to_save"] = nullptr;
  config["inference_mode"] = true;
  const MethodRow& row = method_row(method.peft_type());
  row.write(method, config);
  if (row.write_layers != nullptr) {
    row.write_layers(adapter, config);
  }
  return config;
}

void copy_tensors(const SafetensorsFile& file, const std::map<std::string, Tensor>& own) {
  for (const auto& [key, tensor] : file.tensors) {
    if (key.find(".original_module.") != std::string::npos || key.find(".modules_to_save.") != std::string::npos) {
      continue;  // with bias `all` PEFT writes biases of modules_to_save three times: the base's, and its own under two names
    }
    const auto at = own.find(key);
    require(at != own.end(), "adapter", "key '", key, "' belongs to no adapted layer; are target_modules or the model others?");
    require(at->second.shape() == tensor.shape() && is_floating(tensor.dtype()) == is_floating(at->second.dtype()), "adapter", "key '", key,
            "' is ", tensor, ", the layer needs ", at->second);
  }
  const NoGrad no_grad;
  for (const auto& [key, tensor] : own) {
    Tensor target = tensor;
    target.copy_(file.at(key));  // an error here names a missing key
  }
}

/// requires_grad of the model's parameters, put back unless keep() is called.
class FrozenState {
 public:
  explicit FrozenState(const nn::Module& model) : parameters_(model.parameters()) {
    for (const Tensor& tensor : parameters_) {
      before_.push_back(tensor.requires_grad());
    }
  }
  FrozenState(const FrozenState&) = delete;
  FrozenState& operator=(const FrozenState&) = delete;
  ~FrozenState() {
    for (std::size_t i = 0; i < before_.size(); ++i) {
      parameters_[i].requires_grad_(before_[i]);
    }
  }
  void keep() { before_.clear(); }

 private:
  std::vector<Tensor> parameters_;
  std::vector<bool> before_;
};

}  // namespace

void save_adapter(const AttachedAdapter& adapter, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  require(!error, "save_adapter", "cannot make the folder ", folder.string(), ": ", error.message());
  NamedTensors tensors;
  for (const auto& [key, tensor] : tensors_by_key(adapter)) {
    tensors.emplace_back(key, tensor);
  }
  save_safetensors(folder / kTensorFile, tensors, {{"format", "pt"}});
  write_file_atomically(folder / kConfigFile, config_text(config_of(adapter)));
}

std::shared_ptr<const AdapterMethod> read_adapter_config(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / kConfigFile;
  const nlohmann::json config = read_json(file);
  return in_file(file, [&] { return method_row(json_value<std::string>(config, "peft_type", "")).read(config); });
}

AttachedAdapter load_adapter(nn::Module& model, const std::filesystem::path& folder, const std::string& name) {
  const std::shared_ptr<const AdapterMethod> method = read_adapter_config(folder);
  const SafetensorsFile file = load_safetensors(folder / kTensorFile);
  Generator generator;  // initial values are overwritten, so they must not move the default generator
  FrozenState frozen(model);
  const AttachedAdapter adapter = in_file(folder / kConfigFile, [&] { return attach(model, method, name, generator); });
  try {
    in_file(folder / kTensorFile, [&] { copy_tensors(file, tensors_by_key(adapter)); });
  } catch (...) {
    adapter.detach();
    throw;
  }
  frozen.keep();
  return adapter;
}

}  // namespace lora
