#include "nn/packed_state.hpp"

#include <algorithm>
#include <utility>

#include "nn/packed_weight.hpp"

namespace lora::nn {

namespace {

/// Takes the entries whose names begin with `prefix` and `weight` out of `given`, their names without the prefix.
StateDict take_entries(std::map<std::string, Tensor>& given, const std::string& prefix) {
  constexpr std::string_view kNames[] = {"weight", "weight.absmax", "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map"};
  StateDict entries;
  for (auto at = given.lower_bound(prefix + "weight"); at != given.end() && at->first.starts_with(prefix + "weight");) {
    const std::string name = at->first.substr(prefix.size());
    const bool part = std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames) || name.starts_with(kQuantStateKey);
    if (part) {
      entries.push_back({name, at->second});
    }
    at = part ? given.erase(at) : std::next(at);
  }
  return entries;
}

bool has_packed(const std::map<std::string, Tensor>& given, const std::string& prefix) {
  const std::string key = prefix + std::string(kQuantStateKey);
  const auto at = given.lower_bound(key);
  return at != given.end() && at->first.starts_with(key);
}

NewWeight packed_weight_of(AdaptableLayer& layer, const std::string& path, std::map<std::string, Tensor>& given) {
  const std::string prefix = path.empty() ? "" : path + ".";
  const Quantized4Bit packed = to(read_packed_entries(path, take_entries(given, prefix)), layer.device());
  require(packed.shape == layer.weight_shape(), "load_state_dict", "key '", prefix, "weight' is a 4-bit weight ", packed.shape,
          ", but that of ", layer.describe(), " is ", layer.weight_shape());
  require(!layer.merged(), "load_state_dict", "adapters of ", path, " are merged; call unmerge_adapters() before loading 4-bit weights");
  layer.input_gradient({});  // is an error where the layer cannot have a 4-bit weight
  return {&layer, prefix + "weight", packed, {}};
}

}  // namespace

void NewWeight::put() const {
  if (packed.defined()) {
    layer->set_weight(packed);
  } else {
    layer->set_weight(dense);
  }
}

std::vector<NewWeight> new_weights(Module& module, std::map<std::string, Tensor>& given) {
  std::vector<NewWeight> weights;
  for (const auto& [path, child] : module.named_modules()) {
    auto* layer = dynamic_cast<AdaptableLayer*>(child);
    const std::string prefix = path.empty() ? "" : path + ".";
    if (layer != nullptr && has_packed(given, prefix)) {
      weights.push_back(packed_weight_of(*layer, path, given));
    } else if (layer != nullptr && layer->packed() != nullptr) {
      require(!layer->merged(), "load_state_dict", "adapters of ", path, " are merged; call unmerge_adapters() before loading weights");
      Tensor dense = empty(layer->weight_shape(), layer->dtype(), layer->device());
      dense.requires_grad_(layer->adapter_names().empty());  // adapters are on frozen weights
      weights.push_back({layer, prefix + "weight", {}, dense});
    }
  }
  return weights;
}

}  // namespace lora::nn
