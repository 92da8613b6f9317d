#include "lora/quantize_weights.hpp"

#include <utility>

namespace lora {

namespace {

bool is_chosen(const QuantizationConfig& config, const NamedLayer& candidate) {
  const auto& [path, layer] = candidate;
  return config.target_modules.matches(path, *layer) && !config.exclude_modules.matches(path, *layer);
}

Quantized4Bit quantized(const NamedLayer& named, const Quantize4BitOptions& options) {
  try {
    require(!named.layer->merged(), "quantize_weights", "adapters are merged; call unmerge_adapters() first");
    named.layer->input_gradient({});  // is an error where the layer cannot have a 4-bit weight
    return quantize_4bit(named.layer->weight(), options);
  } catch (const Error& error) {
    fail("quantize_weights", named.path, ": ", error.what());
  }
}

}  // namespace

std::vector<NamedLayer> quantize_weights(nn::Module& model, const QuantizationConfig& config) {
  std::vector<std::pair<NamedLayer, Quantized4Bit>> done;  // all are made before the first is put in its place
  bool any = false;
  for (const NamedLayer& named : adaptable_layers(model)) {
    const bool chosen = is_chosen(config, named);
    any = any || chosen;
    if (chosen && named.layer->packed() == nullptr) {
      done.emplace_back(named, quantized(named, {config.quant_type, config.blocksize, config.double_quant}));
    }
  }
  require(any, "quantize_weights", "target_modules name no layer of ", model.describe());
  std::vector<NamedLayer> layers;
  for (const auto& [named, weight] : done) {
    named.layer->set_weight(weight);
    layers.push_back(named);
  }
  return layers;
}

}  // namespace lora
