#include "lora/dynamic_lora.hpp"

#include <algorithm>
#include <cmath>

#include "core/ops/pointwise.hpp"
#include "lora/dynamic_allocator.hpp"
#include "lora/rank_pattern.hpp"
#include "nn/init.hpp"

namespace lora {

namespace {

constexpr const char* kWhere = "DynamicLoraConfig";
constexpr Index kMaxRank = 65'536;  // beyond the sizes of layers; a damaged configuration cannot ask for all memory

void check_schedule(const DynamicLoraConfig& c) {
  require(c.total_step >= 1, kWhere, "total_step must be the number of optimizer steps of the training, got ", c.total_step);
  require(c.prune_start >= 0.0 && c.prune_start <= c.prune_end && c.prune_end <= 1.0, kWhere,
          "prune_start and prune_end must be shares of the steps with 0 <= start <= end <= 1, got ", c.prune_start, " and ", c.prune_end);
  require(c.prune_interval >= 1, kWhere, "prune_interval must be at least 1, got ", c.prune_interval);
}

void check(const DynamicLoraConfig& c) {
  require(c.start_r >= 0 && c.start_r <= kMaxRank, kWhere, "start_r must be 0 (ceil(1.5 r)) or at most ", kMaxRank, ", got ", c.start_r);
  require(c.r >= 1 && c.r <= kMaxRank && c.r <= c.start_rank(), kWhere, "r must be at least 1 and at most start_r, got ", c.r, " and ",
          c.start_r);
  check_schedule(c);
  require(c.beta >= 0.0 && c.beta < 1.0, kWhere, "beta must be in [0, 1), got ", c.beta);
  require(c.dem_weight >= 0.0 && std::isfinite(c.dem_weight), kWhere, "dem_weight must be 0 or more, got ", c.dem_weight);
  require(std::isfinite(c.lora_alpha), kWhere, "lora_alpha must be a number, got ", c.lora_alpha);
  require(c.lora_dropout >= 0.0 && c.lora_dropout < 1.0, kWhere, "lora_dropout must be in [0, 1), got ", c.lora_dropout);
  require(!c.target_modules.empty(), kWhere, "target_modules is empty; name layers, or use \"all-linear\"");
}

/// Uniform in +-sqrt(6 / fan_in).
Tensor he_uniform(const Shape& shape, Index fan_in, DType dtype, Generator& generator) {
  return std::sqrt(6.0) * nn::kaiming_uniform(shape, std::max<Index>(1, fan_in), dtype, generator);
}

}  // namespace

Index DynamicLoraConfig::start_rank() const { return start_r > 0 ? start_r : (3 * r + 1) / 2; }

DynamicLoraMethod::DynamicLoraMethod(DynamicLoraConfig config) : config_(std::move(config)) { check(config_); }

std::unique_ptr<nn::Adapter> DynamicLoraMethod::make(std::string_view path, const nn::AdaptableLayer& layer, Generator& generator) const {
  const Index start_rank = config_.start_rank();
  GatedStart start;
  start.gate = "lora_c";
  start.kept = kept_components(config_.rank_pattern, path, start.gate, start_rank);
  const Index rank = std::count(start.kept.begin(), start.kept.end(), true);
  const Shape up = layer.up_shape(rank);
  start.a = he_uniform(layer.down_shape(rank), layer.fan_in(), layer.dtype(), generator);
  start.b = he_uniform(up, up[1], layer.dtype(), generator);
  start.scaling = config_.lora_alpha / static_cast<double>(start_rank);
  start.dropout = config_.lora_dropout;
  return std::make_unique<GatedAdapter>(layer, std::move(start));
}

std::unique_ptr<nn::TrainingTerm> DynamicLoraMethod::training(const AttachedAdapter& adapter) const {
  return std::make_unique<DynamicAllocator>(adapter, config_);
}

AttachedAdapter attach(nn::Module& model, const DynamicLoraConfig& config, const std::string& name, Generator& generator) {
  return attach(model, std::make_shared<const DynamicLoraMethod>(config), name, generator);
}

}  // namespace lora
