#include "tests/support/adapter_laws.hpp"

#include "core/ops/pointwise.hpp"
#include "lora/lora_method.hpp"
#include "models/mlp.hpp"
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

std::shared_ptr<const AdapterMethod> make_lora(const AdapterSettings& settings, bool rslora, LoraInit init) {
  LoraConfig config;
  config.r = settings.r;
  config.lora_alpha = settings.alpha;
  config.lora_dropout = settings.dropout;
  config.use_rslora = rslora;
  config.init_lora_weights = init;
  return std::make_shared<const LoraMethod>(config);
}

Index lora_count(Index r, Index in, Index out) { return r * (in + out); }

}  // namespace

std::vector<MethodRow> method_rows_of_laws() {
  return {
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
      {"Mlp",
       [](DType) {
         return std::make_unique<models::Mlp>(models::MlpOptions{12, 8, 5});
       },
       {6, 3, 4},
       {{12, 8}, {8, 8}, {8, 5}},
       {DType::f32}},
  };
}

}  // namespace lora::test
