#include "tests/support/adapter_laws.hpp"

#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "lora/adalora.hpp"
#include "lora/dynamic_lora.hpp"
#include "lora/lora_method.hpp"
#include "lora/quantize_weights.hpp"
#include "models/mlp.hpp"
#include "nn/conv2d.hpp"
#include "nn/linear.hpp"

namespace lora::test {

namespace {

/// Two layers with a smooth function between them, so that finite differences meet no corner.
class Smooth final : public nn::Module {
 public:
  explicit Smooth(DType dtype) : first_(4, 6, true, dtype), second_(6, 3, false, dtype) {
    child("first", first_);
    child("second", second_);
  }
  Tensor forward(const Tensor& x) const override { return second_(tanh(first_(x))); }
  std::string describe() const override { return "Smooth()"; }

 private:
  nn::Linear first_, second_;
};

/// Two convolutions with a smooth function between them.
class SmoothImages final : public nn::Module {
 public:
  explicit SmoothImages(DType dtype) : first_(2, 4, 3, {1, 1}, true, dtype), second_(4, 3, 1, {2}, false, dtype) {
    child("first", first_);
    child("second", second_);
  }
  Tensor forward(const Tensor& x) const override { return second_(tanh(first_(x))); }
  std::string describe() const override { return "SmoothImages()"; }

 private:
  nn::Conv2d first_, second_;
};

const TargetModules kAllLayers = ".*";

/// A row for one convolution.
ModelRow conv_row(const std::string& name, Shape input, Index out, Size2d kernel, const Conv2dOptions& options, bool bias) {
  const Index in = input[1];
  return {"Conv2d " + name,
          [=](DType dtype) { return std::make_unique<nn::Conv2d>(in, out, kernel, options, bias, dtype); },
          input,
          {{in * kernel.h * kernel.w, out}},
          {DType::f32, DType::f64},
          kAllLayers};
}

/// The same model with all its weights in 4 bits.
ModelRow in_4_bits(ModelRow row, bool double_quant) {
  row.name += " in 4 bits";
  row.make = [make = row.make, double_quant](DType dtype) {
    auto model = make(dtype);
    quantize_weights(*model, {QuantType::nf4, 32, double_quant});
    return model;
  };
  return row;
}

ModelRow grouped_row(const std::string& name, Shape input, Index out, Size2d kernel, const Conv2dOptions& options) {
  ModelRow row = conv_row(name, input, out, kernel, options, true);
  row.groups = options.groups;
  row.sizes[0].first *= options.groups;
  return row;
}

std::shared_ptr<const AdapterMethod> make_lora(const AdapterSettings& settings, bool rslora, LoraInit init) {
  LoraConfig config;
  config.r = settings.r;
  config.lora_alpha = settings.alpha;
  config.lora_dropout = settings.dropout;
  config.use_rslora = rslora;
  config.target_modules = settings.targets;
  config.init_lora_weights = init;
  return std::make_shared<const LoraMethod>(config);
}

Index lora_count(Index r, Index in, Index out) { return r * (in + out); }

/// What it begins with: r is the rank before anything is pruned.
std::shared_ptr<const AdapterMethod> make_adalora(const AdapterSettings& settings) {
  AdaLoraConfig config;
  config.init_r = settings.r;
  config.target_r = 1;
  config.total_step = 10;
  config.lora_alpha = settings.alpha;
  config.lora_dropout = settings.dropout;
  config.target_modules = settings.targets;
  return std::make_shared<const AdaLoraMethod>(config);
}

/// What it begins with: r is the rank before anything is pruned.
std::shared_ptr<const AdapterMethod> make_dynamic(const AdapterSettings& settings) {
  DynamicLoraConfig config;
  config.start_r = settings.r;
  config.r = 1;
  config.total_step = 10;
  config.lora_alpha = settings.alpha;
  config.lora_dropout = settings.dropout;
  config.target_modules = settings.targets;
  return std::make_shared<const DynamicLoraMethod>(config);
}

std::shared_ptr<const AdapterMethod> make_dora(const AdapterSettings& settings) {
  LoraConfig config = std::dynamic_pointer_cast<const LoraMethod>(make_lora(settings, false, LoraInit::kaiming))->config();
  config.use_dora = true;
  return std::make_shared<const LoraMethod>(config);
}

Index dora_count(Index r, Index in, Index out) { return r * (in + out) + out; }

/// Norms of the rows of W + s B A, by definition.
std::vector<Tensor> dora_norms(const AttachedAdapter& adapter) {
  const double s = dynamic_cast<const LoraMethod&>(adapter.method()).config().scaling();
  std::vector<Tensor> norms;
  for (const auto& [path, layer] : adapter.layers()) {
    const auto parameters = layer->adapter(adapter.name())->named_parameters();
    const Tensor a = parameters[0].tensor.detach(), b = parameters[1].tensor.detach();
    norms.push_back(norm(flatten(layer->spread(layer->weight().detach()) + s * layer->outer(b, a), 1), 2, {1}));
  }
  return norms;
}

MethodRow dora_row() {
  MethodRow row{"dora", make_dora, dora_count};
  row.silent_at_alpha_0 = row.scales_by_alpha = false;  // its magnitude acts by itself
  row.constant_norms = dora_norms;
  return row;
}

}  // namespace

std::vector<MethodRow> method_rows_of_laws() {
  return {
      {"adalora", make_adalora, lora_count, 1, true, false, false},
      dora_row(),
      {"dynamic", make_dynamic, lora_count, 1},
      {"lora", [](const AdapterSettings& s) { return make_lora(s, false, LoraInit::kaiming); }, lora_count},
      {"lora, rank-stabilised", [](const AdapterSettings& s) { return make_lora(s, true, LoraInit::kaiming); }, lora_count},
      {"lora, gaussian", [](const AdapterSettings& s) { return make_lora(s, false, LoraInit::gaussian); }, lora_count},
  };
}

std::vector<ModelRow> model_rows_of_laws() {
  return {
      {"Linear", [](DType dtype) { return std::make_unique<nn::Linear>(5, 4, true, dtype); }, {7, 5}, {{5, 4}}},
      {"Linear without bias, images", [](DType dtype) { return std::make_unique<nn::Linear>(3, 8, false, dtype); }, {2, 4, 3}, {{3, 8}}},
      {"Linear of one number", [](DType dtype) { return std::make_unique<nn::Linear>(1, 1, true, dtype); }, {3, 1}, {{1, 1}}},
      {"two layers", [](DType dtype) { return std::make_unique<Smooth>(dtype); }, {5, 4}, {{4, 6}, {6, 3}}},
      conv_row("3x3", {2, 3, 4, 5}, 4, 3, {1, 1}, true),
      conv_row("of stride 2, without bias", {2, 2, 5, 4}, 3, {3, 2}, {2, 1}, false),
      conv_row("dilated", {1, 2, 6, 5}, 2, 3, {1, 2, 2}, true),
      grouped_row("in groups", {2, 6, 4, 3}, 4, 3, {1, 1, 1, 2}),
      conv_row("of single pixels", {2, 4, 3, 2}, 5, 1, {}, true),
      {"two convolutions",
       [](DType dtype) { return std::make_unique<SmoothImages>(dtype); },
       {2, 2, 4, 3},
       {{18, 4}, {4, 3}},
       {DType::f32, DType::f64},
       kAllLayers},
      {"Mlp",
       [](DType) {
         return std::make_unique<models::Mlp>(models::MlpOptions{12, 8, 5});
       },
       {6, 3, 4},
       {{12, 8}, {8, 8}, {8, 5}},
       {DType::f32}},
      in_4_bits({"Linear", [](DType dtype) { return std::make_unique<nn::Linear>(5, 4, true, dtype); }, {7, 5}, {{5, 4}}}, true),
      in_4_bits({"two layers", [](DType dtype) { return std::make_unique<Smooth>(dtype); }, {5, 4}, {{4, 6}, {6, 3}}}, false),
      in_4_bits(conv_row("3x3", {2, 3, 4, 5}, 4, 3, {1, 1}, true), true),
      in_4_bits(conv_row("of stride 2, without bias", {2, 2, 5, 4}, 3, {3, 2}, {2, 1}, false), false),
      in_4_bits(grouped_row("in groups", {2, 6, 4, 3}, 4, 3, {1, 1, 1, 2}), true),
      in_4_bits(conv_row("dilated", {1, 2, 6, 5}, 2, 3, {1, 2, 2}, true), true),
  };
}

}  // namespace lora::test
