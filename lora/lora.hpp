#pragma once
// LoRA: a low-rank change of a frozen weight.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lora/attach.hpp"
#include "nn/adapter.hpp"

namespace lora {

/// How lora_A starts; lora_B starts at 0, so that a fresh adapter changes nothing.
enum class LoraInit {
  kaiming,   ///< uniform in +-1/sqrt(fan_in); PEFT's default
  gaussian,  ///< normal with standard deviation 1/r
  he,        ///< uniform in +-sqrt(6/fan_in) (He et al. 2015): 2.4 times as wide as kaiming's. PEFT has no word for it; folders say `true`
};

/// Settings, with PEFT's names and defaults.
struct LoraConfig {
  Index r = 8;                ///< rank, 1 to 65536
  double lora_alpha = 8.0;    ///< numerator of the scaling; 0 makes the adapter a bystander
  double lora_dropout = 0.0;  ///< probability, of the adapter's input only, in [0, 1)
  bool use_dora = false;      ///< DoraAdapter (lora/dora.hpp) instead of LoraAdapter
  bool use_rslora = false;    ///< scaling alpha / sqrt(r) (Kalajdzievski 2023, arXiv:2312.03732) instead of alpha / r
  TargetModules target_modules = "all-linear";
  TargetModules exclude_modules = {};
  LoraInit init_lora_weights = LoraInit::kaiming;
  /// Ranks and alphas of single layers. A key is a regular expression for a path, or for its end after a point; the first that fits counts.
  std::vector<std::pair<std::string, Index>> rank_pattern = {};
  std::vector<std::pair<std::string, double>> alpha_pattern = {};
  TrainedBias bias = TrainedBias::none;
  std::vector<std::string> modules_to_save = {};  ///< see AdapterMethod::modules_to_save()

  /// s of the formula below.
  double scaling() const;
  /// The settings of one layer: r and lora_alpha are those that the patterns give it.
  LoraConfig at(std::string_view path) const;
};

/// y = W x + b + s B(A(dropout(x))),  s = alpha / r.
/// lora_A has the layer's down_shape(r) ([r, in] for Linear), lora_B its up_shape(r) ([out, r]); both in the dtype of W.
/// @source Hu et al. 2021, arXiv:2106.09685
class LoraAdapter : public nn::Adapter {
 public:
  LoraAdapter(const nn::AdaptableLayer& layer, const LoraConfig& config, Generator& generator);

  Tensor add_to(const Tensor& sum, const nn::AdaptableLayer& layer, const Tensor& x, const Tensor& base) const override;
  /// W + s B A.
  Tensor merged_weight(const nn::AdaptableLayer& layer, const Tensor& weight) const override;

 protected:
  double scaling() const { return scaling_; }
  const Tensor& a() const { return a_; }
  const Tensor& b() const { return b_; }
  /// x as the adapter's own branch sees it.
  Tensor dropped(const nn::AdaptableLayer& layer, const Tensor& x) const;

 private:
  double scaling_, dropout_;
  Tensor a_, b_;
};

/// Attaches LoRA; see attach() in lora/attach.hpp.
/// @throws Error also if a setting is out of its range
AttachedAdapter attach(nn::Module& model, const LoraConfig& config, const std::string& name = "default",
                       Generator& generator = default_generator());

}  // namespace lora
