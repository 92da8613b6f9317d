#include "lora/attach.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "lora/own_values.hpp"

namespace lora {

namespace {

void check_name(const std::string& name) {
  const bool word =
      !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; });
  require(word, "attach", "'", name, "' is not an adapter name; use letters, digits, '_' and '-'");
}

std::vector<NamedLayer> chosen_layers(nn::Module& model, const AdapterMethod& method) {
  std::vector<NamedLayer> chosen;
  std::string all;
  for (const NamedLayer& candidate : adaptable_layers(model)) {
    all += (all.empty() ? "" : ", ") + candidate.path;
    if (method.target_modules().matches(candidate.path, *candidate.layer) &&
        !method.exclude_modules().matches(candidate.path, *candidate.layer) && !is_saved_whole(method, candidate.path)) {
      chosen.push_back(candidate);
    }
  }
  require(!chosen.empty(), "attach", "target_modules name no layer of ", model.describe(), "; it has ",
          all.empty() ? "none to adapt" : all);
  return chosen;
}

void check_free(const std::vector<NamedLayer>& layers, const std::string& name) {
  for (const auto& [path, layer] : layers) {
    require(!layer->merged(), "attach", "adapters of ", path, " are merged; call unmerge_adapters() first");
    require(layer->adapter(name) == nullptr, "attach", path, " has an adapter '", name,
            "' already; choose another name, or detach that one");
  }
}

/// Before a change of all layers: none may refuse it half way.
void check_changeable(const std::vector<NamedLayer>& layers) {
  for (const auto& [path, layer] : layers) {
    require(!layer->merged(), "adapter", "adapters of ", path, " are merged; call unmerge_adapters() first");
  }
}

void check_attached(const std::vector<NamedLayer>& layers, const std::string& name) {
  for (const auto& [path, layer] : layers) {
    require(layer->adapter(name) != nullptr, "adapter", "'", name, "' is no longer attached to ", path);
  }
}

}  // namespace

AttachedAdapter::AttachedAdapter(std::string name, std::shared_ptr<const AdapterMethod> method, std::vector<NamedLayer> layers,
                                 nn::Module& model)
    : name_(std::move(name)), method_(std::move(method)), layers_(std::move(layers)), model_(&model) {}

nn::Overlay* AttachedAdapter::overlay() const {
  for (const std::shared_ptr<nn::Overlay>& overlay : model_->overlays()) {
    if (overlay->adapter() == name_) {
      return overlay.get();
    }
  }
  return nullptr;
}

/// Before a change of the whole adapter: no part may refuse it half way.
void AttachedAdapter::check() const {
  check_attached(layers_, name_);
  check_changeable(overlay() == nullptr ? layers_ : adaptable_layers(*model_));
}

std::vector<nn::NamedTensor> AttachedAdapter::named_parameters() const {
  check_attached(layers_, name_);
  std::vector<nn::NamedTensor> out;
  for (const auto& [path, layer] : layers_) {
    for (const auto& [parameter, tensor] : layer->adapter(name_)->named_parameters()) {
      out.push_back({path.empty() ? parameter : path + "." + parameter, tensor});
    }
  }
  if (const nn::Overlay* own = overlay()) {
    const nn::StateDict values = own->parameters();
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

std::vector<Tensor> AttachedAdapter::parameters() const {
  std::vector<Tensor> out;
  for (const auto& [name, tensor] : named_parameters()) {
    out.push_back(tensor);
  }
  return out;
}

Index AttachedAdapter::numel() const {
  Index total = 0;
  for (const Tensor& tensor : parameters()) {
    total += tensor.numel();
  }
  return total;
}

void AttachedAdapter::set_active(bool on) const {
  check();
  for (const auto& [path, layer] : layers_) {
    layer->set_active(name_, on);
  }
  if (nn::Overlay* own = overlay()) {
    own->set_active(on);
  }
}

void AttachedAdapter::detach() const {
  check();
  for (const auto& [path, layer] : layers_) {
    layer->detach(name_);
  }
  if (nn::Overlay* own = overlay()) {
    own->set_active(false);
    model_->remove_overlay(*own);
  }
}

AttachedAdapter attach(nn::Module& model, std::shared_ptr<const AdapterMethod> method, const std::string& name, Generator& generator) {
  check_name(name);
  std::vector<NamedLayer> layers = chosen_layers(model, *method);
  check_free(layers, name);
  std::vector<std::unique_ptr<nn::Adapter>> adapters;  // all are made before the first is attached
  for (const auto& [path, layer] : layers) {
    adapters.push_back(method->make(path, *layer, generator));
  }
  std::shared_ptr<nn::Overlay> overlay = make_overlay(model, *method, name, layers);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].layer->attach(name, std::move(adapters[i]));
  }
  if (overlay != nullptr) {
    overlay->set_enabled(layers.front().layer->adapters_enabled());
    overlay->set_active(true);
    model.add_overlay(std::move(overlay));
  }
  model.requires_grad_(false);
  for (nn::Overlay* own : overlays_of(model)) {
    own->mark_trainable();
  }
  return AttachedAdapter(name, std::move(method), std::move(layers), model);
}

void set_adapters_enabled(nn::Module& model, bool on) {
  const std::vector<NamedLayer> layers = adaptable_layers(model);
  check_changeable(layers);
  for (const auto& [path, layer] : layers) {
    layer->set_adapters_enabled(on);
  }
  for (nn::Overlay* overlay : overlays_of(model)) {
    overlay->set_enabled(on);
  }
}

void merge_adapters(nn::Module& model) { merge_adapters(model, {}); }

std::vector<RequantizedLayer> merge_adapters(nn::Module& model, const MergeOptions& options) {
  std::vector<nn::AdaptableLayer*> done;
  std::vector<RequantizedLayer> requantized;
  try {
    for (const auto& [path, layer] : adaptable_layers(model)) {
      const bool packed = layer->packed() != nullptr;
      layer->merge();
      done.push_back(layer);
      if (options.requantize && packed && layer->merged()) {
        requantized.push_back({path, layer->requantize()});
      }
    }
  } catch (...) {
    for (nn::AdaptableLayer* layer : done) {
      layer->unmerge();
    }
    throw;
  }
  return requantized;
}

void unmerge_adapters(nn::Module& model) {
  for (const auto& [path, layer] : adaptable_layers(model)) {
    layer->unmerge();
  }
}

ParameterCounts count_parameters(const nn::Module& model) {
  ParameterCounts counts;
  for (const Tensor& tensor : model.parameters()) {
    counts.total += tensor.numel();
  }
  for (const auto& [path, module] : model.named_modules()) {
    if (const auto* layer = dynamic_cast<const nn::AdaptableLayer*>(module)) {
      counts.total += layer->packed() != nullptr ? layer->packed()->numel() : 0;
      for (const std::string& name : layer->adapter_names()) {
        for (const auto& [parameter, tensor] : layer->adapter(name)->named_parameters()) {
          counts.added += tensor.numel();
        }
      }
    }
  }
  for (const nn::Overlay* overlay : overlays_of(model)) {
    for (const auto& [path, tensor] : overlay->parameters()) {
      counts.added += tensor.numel();
    }
  }
  counts.total += counts.added;
  for (const Tensor& tensor : model.trainable_parameters()) {
    counts.trainable += tensor.numel();
  }
  return counts;
}

}  // namespace lora
