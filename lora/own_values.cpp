#include "lora/own_values.hpp"

#include <algorithm>

namespace lora {

namespace {

std::string joined(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

/// Collects tensors, each once.
class Choice {
 public:
  void add_parameter(const std::string& name, const Tensor& tensor) { add(parameters_, name, tensor); }
  void add_buffer(const std::string& name, const Tensor& tensor) { add(buffers_, name, tensor); }
  const nn::StateDict& parameters() const { return parameters_; }
  const nn::StateDict& buffers() const { return buffers_; }

 private:
  void add(nn::StateDict& to, const std::string& name, const Tensor& tensor) {
    const auto same = [&](const nn::NamedTensor& other) { return other.tensor.storage() == tensor.storage(); };
    if (std::none_of(parameters_.begin(), parameters_.end(), same) && std::none_of(buffers_.begin(), buffers_.end(), same)) {
      to.push_back({name, tensor});
    }
  }
  nn::StateDict parameters_, buffers_;
};

void require_dense(const std::string& path, nn::Module& module) {
  for (const NamedLayer& layer : adaptable_layers(module)) {
    require(layer.layer->packed() == nullptr, "attach", "modules_to_save names ", joined(path, layer.path),
            ", whose weight is in 4 bits and cannot be trained");
  }
}

void add_module(const std::string& path, nn::Module& module, Choice& choice) {
  require_dense(path, module);
  for (const auto& [name, tensor] : module.named_parameters()) {
    choice.add_parameter(joined(path, name), tensor);
  }
  for (const auto& [name, tensor] : module.named_buffers()) {
    choice.add_buffer(joined(path, name), tensor);
  }
}

void add_modules(nn::Module& model, const AdapterMethod& method, Choice& choice) {
  for (const std::string& wanted : method.modules_to_save()) {
    bool found = false;
    for (const auto& [path, module] : model.named_modules()) {
      if (is_name_of(wanted, path)) {
        add_module(path, *module, choice);
        found = true;
      }
    }
    require(found, "attach", "modules_to_save names '", wanted, "', which is no module of ", model.describe());
  }
}

void add_biases(nn::Module& model, TrainedBias bias, const std::vector<NamedLayer>& layers, Choice& choice) {
  if (bias == TrainedBias::lora_only) {
    for (const auto& [path, layer] : layers) {
      if (layer->bias().defined()) {
        choice.add_parameter(joined(path, "bias"), layer->bias());
      }
    }
  }
  if (bias == TrainedBias::all) {
    for (const auto& [path, tensor] : model.named_parameters()) {
      if (is_name_of("bias", path)) {
        choice.add_parameter(path, tensor);
      }
    }
  }
}

void check_free(const nn::Module& model, const nn::StateDict& tensors) {
  for (const nn::Overlay* overlay : overlays_of(model)) {
    for (const auto& [path, tensor] : tensors) {
      require(!overlay->covers(tensor), "attach", "adapter '", overlay->adapter(), "' has its own values of ", path,
              " already; detach it first, or leave that tensor out of bias and modules_to_save");
    }
  }
}

}  // namespace

const std::vector<std::string>& AdapterMethod::modules_to_save() const {
  static const std::vector<std::string> none;
  return none;
}

bool is_saved_whole(const AdapterMethod& method, std::string_view path) {
  const auto& names = method.modules_to_save();
  for (std::string_view part = path; !part.empty(); part = part.substr(0, part.find_last_of('.'))) {
    if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return is_name_of(name, part); })) {
      return true;
    }
    if (part.find('.') == std::string_view::npos) {
      break;
    }
  }
  return false;
}

std::shared_ptr<nn::Overlay> make_overlay(nn::Module& model, const AdapterMethod& method, const std::string& name,
                                          const std::vector<NamedLayer>& layers) {
  Choice choice;
  add_modules(model, method, choice);
  add_biases(model, method.bias(), layers, choice);
  check_free(model, choice.parameters());
  check_free(model, choice.buffers());
  if (choice.parameters().empty() && choice.buffers().empty()) {
    return nullptr;
  }
  return std::make_shared<nn::Overlay>(name, choice.parameters(), choice.buffers());
}

std::vector<nn::Overlay*> overlays_of(const nn::Module& model) {
  std::vector<nn::Overlay*> out;
  for (const auto& [path, module] : model.named_modules()) {
    for (const std::shared_ptr<nn::Overlay>& overlay : module->overlays()) {
      out.push_back(overlay.get());
    }
  }
  return out;
}

}  // namespace lora
