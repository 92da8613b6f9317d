#include "lora/lora.hpp"

#include <cmath>

#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "lora/dora.hpp"
#include "lora/lora_method.hpp"
#include "nn/init.hpp"

namespace lora {

namespace {

// Beyond the sizes of layers, and small enough that a damaged configuration cannot ask for all memory.
constexpr Index kMaxRank = 65'536;

void check_rank(const std::string& what, Index r) {
  require(r >= 1 && r <= kMaxRank, "LoraConfig", what, " must be at least 1 and at most ", kMaxRank, ", got ", r);
}

void check_alpha(const std::string& what, double alpha) {
  require(std::isfinite(alpha), "LoraConfig", what, " must be a number, got ", alpha);
}

void check(const LoraConfig& config) {
  check_rank("r", config.r);
  check_alpha("lora_alpha", config.lora_alpha);
  for (const auto& [key, rank] : config.rank_pattern) {
    check_rank("rank_pattern of '" + key + "'", rank);
  }
  for (const auto& [key, alpha] : config.alpha_pattern) {
    check_alpha("alpha_pattern of '" + key + "'", alpha);
  }
  require(config.lora_dropout >= 0.0 && config.lora_dropout < 1.0, "LoraConfig", "lora_dropout must be in [0, 1), got ",
          config.lora_dropout);
  require(!config.target_modules.empty(), "LoraConfig", "target_modules is empty; name layers, or use \"all-linear\"");
}

/// The value of the first key that fits a path.
template <class T>
T first_fit(const std::vector<std::pair<std::string, T>>& pattern, std::string_view path, T otherwise) {
  for (const auto& [key, value] : pattern) {
    if (fits_path("(.*\\.)?(" + key + ")", path)) {
      return value;
    }
  }
  return otherwise;
}

Tensor initial_a(const nn::AdaptableLayer& layer, const LoraConfig& config, Generator& generator) {
  const Shape shape = layer.down_shape(config.r);
  const DType dtype = layer.dtype();
  if (config.init_lora_weights == LoraInit::gaussian) {
    return randn(shape, dtype, generator) / static_cast<double>(config.r);
  }
  const Tensor a = nn::kaiming_uniform(shape, layer.fan_in(), dtype, generator);
  return config.init_lora_weights == LoraInit::he ? a * std::sqrt(6.0) : a;
}

}  // namespace

double LoraConfig::scaling() const {
  const auto rank = static_cast<double>(r);
  return lora_alpha / (use_rslora ? std::sqrt(rank) : rank);
}

LoraConfig LoraConfig::at(std::string_view path) const {
  LoraConfig own = *this;
  own.r = first_fit(rank_pattern, path, r);
  own.lora_alpha = first_fit(alpha_pattern, path, lora_alpha);
  return own;
}

LoraAdapter::LoraAdapter(const nn::AdaptableLayer& layer, const LoraConfig& config, Generator& generator)
    : scaling_(config.scaling()),
      dropout_(config.lora_dropout),
      a_(param("lora_A", to(initial_a(layer, config, generator), layer.device()))),
      b_(param("lora_B", zeros(layer.up_shape(config.r), layer.dtype(), layer.device()))) {}

Tensor LoraAdapter::add_to(const Tensor& sum, const nn::AdaptableLayer& layer, const Tensor& x, const Tensor&) const {
  return layer.up(layer.down(dropped(layer, x), a_), b_, scaling_, sum);
}

Tensor LoraAdapter::dropped(const nn::AdaptableLayer& layer, const Tensor& x) const { return layer.training() ? dropout(x, dropout_) : x; }

Tensor LoraAdapter::merged_weight(const nn::AdaptableLayer& layer, const Tensor& weight) const {
  return layer.spread(weight) + scaling_ * layer.outer(b_, a_);
}

LoraMethod::LoraMethod(LoraConfig config) : config_(std::move(config)) { check(config_); }

std::unique_ptr<nn::Adapter> LoraMethod::make(std::string_view path, const nn::AdaptableLayer& layer, Generator& generator) const {
  const LoraConfig config = config_.at(path);
  if (config.use_dora) {
    return std::make_unique<DoraAdapter>(layer, config, generator);
  }
  return std::make_unique<LoraAdapter>(layer, config, generator);
}

AttachedAdapter attach(nn::Module& model, const LoraConfig& config, const std::string& name, Generator& generator) {
  return attach(model, std::make_shared<const LoraMethod>(config), name, generator);
}

}  // namespace lora
