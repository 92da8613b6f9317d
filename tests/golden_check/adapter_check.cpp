#include "core/ops/convert.hpp"
#include "lora/lora.hpp"
#include "lora/registry.hpp"
#include "nn/adaptable.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"
#include "tests/golden_check/check.hpp"

namespace lora::test {

namespace {

/// A model of one layer, named as the cases' own.
class One final : public nn::Module {
 public:
  explicit One(std::unique_ptr<nn::AdaptableLayer> layer) : layer_(std::move(layer)) { child("layer", *layer_); }
  Tensor forward(const Tensor& x) const override { return layer_->forward(x); }
  std::string describe() const override { return "One(" + layer_->describe() + ')'; }

 private:
  std::unique_ptr<nn::AdaptableLayer> layer_;
};

std::unique_ptr<nn::AdaptableLayer> linear_layer(const Tensor& weight, bool bias) {
  return std::make_unique<nn::Linear>(weight.size(1), weight.size(0), bias, weight.dtype());
}

std::unique_ptr<nn::AdaptableLayer> conv_layer(Case& c, const Tensor& weight, bool bias) {
  Conv2dOptions options;
  options.stride = c.attribute<Index>("stride");
  options.padding = c.attribute<Index>("padding");
  options.dilation = c.attribute<Index>("dilation");
  options.groups = c.attribute<Index>("groups");
  return std::make_unique<nn::Conv2d>(weight.size(1) * options.groups, weight.size(0), Size2d(weight.size(2), weight.size(3)), options,
                                      bias, weight.dtype());
}

/// The layer of the case with its weights.
std::unique_ptr<nn::AdaptableLayer> layer_of(Case& c) {
  const auto kind = c.attribute<std::string>("layer");
  require(kind == "Linear" || kind == "Conv2d", "golden", "unknown layer '", kind, "'");
  const Tensor weight = c.input("weight");
  nn::StateDict state{{"weight", weight}};
  if (c.has_tensor("bias")) {
    state.push_back({"bias", c.input("bias")});
  }
  auto layer = kind == "Linear" ? linear_layer(weight, state.size() == 2) : conv_layer(c, weight, state.size() == 2);
  layer->load_state_dict(state);
  return layer;
}

/// Says if merging makes a grouped layer dense: that is the only way, as adapters act on all inputs.
void check_merged_groups(Case& c) {
  if (c.has_attribute("merged_groups")) {
    require(c.attribute<Index>("merged_groups") == 1, "golden", "merged_groups is not 1");
  }
}

LoraConfig config_of(Case& c) {
  LoraConfig config;
  config.use_dora = c.attribute<bool>("use_dora");
  config.r = c.attribute<Index>("r");
  config.lora_alpha = c.attribute<double>("lora_alpha");
  config.use_rslora = c.attribute<bool>("use_rslora");
  config.target_modules = {"layer"};
  return config;
}

/// The case's name of a parameter of the adapter: that of adapter folders.
std::string key_of(const std::string& parameter) { return method_row("LORA").file_key(parameter.substr(std::string("layer.").size())); }

void load(Case& c, const AttachedAdapter& adapter) {
  for (auto& [name, tensor] : adapter.named_parameters()) {
    Tensor to = tensor.detach();
    to.copy_(c.input(key_of(name)));
  }
}

}  // namespace

/// One layer with one adapter: output, gradients of x and of the adapter's tensors, the merged weight and its output.
void check_adapter(Case& c) {
  const LoraConfig config = config_of(c);
  One model(layer_of(c));
  model.to(c.device());
  const AttachedAdapter adapter = attach(model, config);
  load(c, adapter);
  Tensor x = c.input("x");
  x.requires_grad_();
  const Tensor y = model(x);
  y.backward(c.input("cotangent"));
  c.expect("y", y.detach());
  c.expect("grad.x", x.grad());
  for (const auto& [name, tensor] : adapter.named_parameters()) {
    c.expect("grad." + key_of(name), tensor.grad());
  }
  check_merged_groups(c);
  model.eval();
  merge_adapters(model);
  c.expect("merged.weight", model.state_dict().front().tensor);
  c.expect("merged.y", model(x.detach()).detach());
}

}  // namespace lora::test
