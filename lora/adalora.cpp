#include "lora/adalora.hpp"

#include <algorithm>
#include <cmath>

#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "lora/adalora_allocator.hpp"
#include "lora/rank_pattern.hpp"

namespace lora {

namespace {

constexpr const char* kWhere = "AdaLoraConfig";
constexpr Index kMaxRank = 65'536;  // beyond the sizes of layers; a damaged configuration cannot ask for all memory
constexpr double kInitialStd = 0.02;
constexpr double kRankEpsilon = 1e-5;  // PEFT's, against a rank of 0

void check_schedule(const AdaLoraConfig& c) {
  require(c.total_step >= 1, kWhere, "total_step must be the number of optimizer steps of the training, got ", c.total_step);
  require(c.tinit >= 0 && c.tfinal >= 0, kWhere, "tinit and tfinal must be 0 or more, got ", c.tinit, " and ", c.tfinal);
  require(c.tinit < c.total_step - c.tfinal, kWhere, "tinit (", c.tinit, ") and tfinal (", c.tfinal, ") leave no step of ", c.total_step,
          " to prune in; lower them or raise total_step");
  require(c.deltaT >= 1, kWhere, "deltaT must be at least 1, got ", c.deltaT);
}

void check(const AdaLoraConfig& c) {
  require(c.init_r >= 1 && c.init_r <= kMaxRank, kWhere, "init_r must be at least 1 and at most ", kMaxRank, ", got ", c.init_r);
  require(c.target_r >= 1 && c.target_r <= c.init_r, kWhere, "target_r must be at least 1 and at most init_r (", c.init_r, "), got ",
          c.target_r);
  check_schedule(c);
  for (const double beta : {c.beta1, c.beta2}) {
    require(beta > 0.0 && beta < 1.0, kWhere, "beta1 and beta2 must be in (0, 1), got ", beta);
  }
  require(c.orth_reg_weight >= 0.0 && std::isfinite(c.orth_reg_weight), kWhere, "orth_reg_weight must be 0 or more, got ",
          c.orth_reg_weight);
  require(std::isfinite(c.lora_alpha), kWhere, "lora_alpha must be a number, got ", c.lora_alpha);
  require(c.lora_dropout >= 0.0 && c.lora_dropout < 1.0, kWhere, "lora_dropout must be in [0, 1), got ", c.lora_dropout);
  require(!c.target_modules.empty(), kWhere, "target_modules is empty; name layers, or use \"all-linear\"");
}

double scaling(const AdaLoraConfig& c) {
  const auto rank = static_cast<double>(c.init_r);
  return (c.lora_alpha > 0.0 ? c.lora_alpha : rank) / (rank + kRankEpsilon);
}

}  // namespace

AdaLoraMethod::AdaLoraMethod(AdaLoraConfig config) : config_(std::move(config)) { check(config_); }

std::unique_ptr<nn::Adapter> AdaLoraMethod::make(std::string_view path, const nn::AdaptableLayer& layer, Generator& generator) const {
  GatedStart start;
  start.gate = "lora_E";
  start.kept = kept_components(config_.rank_pattern, path, start.gate, config_.init_r);
  const Index rank = std::count(start.kept.begin(), start.kept.end(), true);
  start.a = kInitialStd * randn(layer.down_shape(rank), layer.dtype(), generator);
  start.b = kInitialStd * randn(layer.up_shape(rank), layer.dtype(), generator);
  start.scaling = scaling(config_);
  start.dropout = config_.lora_dropout;
  return std::make_unique<GatedAdapter>(layer, std::move(start));
}

std::unique_ptr<nn::TrainingTerm> AdaLoraMethod::training(const AttachedAdapter& adapter) const {
  return std::make_unique<AdaLoraAllocator>(adapter, config_);
}

AttachedAdapter attach(nn::Module& model, const AdaLoraConfig& config, const std::string& name, Generator& generator) {
  return attach(model, std::make_shared<const AdaLoraMethod>(config), name, generator);
}

}  // namespace lora
