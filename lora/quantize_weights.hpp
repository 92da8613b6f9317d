#pragma once
// A model's frozen weights in 4 bits a number, for adapters on top of them.

#include <vector>

#include "core/ops/quantize.hpp"
#include "lora/target.hpp"
#include "nn/module.hpp"

namespace lora {

struct QuantizationConfig {
  QuantType quant_type = QuantType::nf4;
  Index blocksize = 64;      ///< numbers that share a scale: a power of two from 32 to 4096
  bool double_quant = true;  ///< scales in 8 bits too
  /// Layers as TargetModules names them; all of Linear and Conv2d by default.
  TargetModules target_modules = ".*";
  TargetModules exclude_modules = {};
};

/// Puts the weights of layers into 4 bits a number, in bitsandbytes' layout: the packed form is all that is kept, and forward and backward
/// passes expand it some rows at a time. Such a weight is no parameter any more. Weights that are in 4 bits stay as they are; biases are
/// not touched. LoRA on such a model is QLoRA.
/// @return the layers that were quantized. @throws Error naming the layer if a weight is not finite, if adapters are merged, or if the
/// targets name no layer; then nothing was changed
/// @source Dettmers et al. 2023, QLoRA: Efficient Finetuning of Quantized LLMs, arXiv:2305.14314
std::vector<NamedLayer> quantize_weights(nn::Module& model, const QuantizationConfig& config = {});

}  // namespace lora
