#pragma once
// A layer's weight in 4 bits: how it works in a forward pass without being expanded as a whole, and its names in files.

#include <string>
#include <string_view>

#include "core/ops/quantize.hpp"
#include "nn/module.hpp"

namespace lora::nn {

class AdaptableLayer;

/// layer.apply(x, dequantized q, bias), with the weight expanded some rows at a time; a grouped one as a whole.
/// @grad x and bias; of the weight only the packed form is kept for it
Tensor apply_packed(const AdaptableLayer& layer, const Quantized4Bit& q, const Tensor& x, const Tensor& bias);

/// What bitsandbytes calls the parts of a 4-bit weight in a file: `weight`, `weight.absmax`, `weight.quant_map`, with 8-bit scales
/// `weight.nested_absmax` and `weight.nested_quant_map`, and what these are not enough for, as JSON in
/// `weight.quant_state.bitsandbytes__nf4`.
StateDict packed_entries(const Quantized4Bit& q);

/// What precedes `nf4` or `fp4` in the name of the last of these.
inline constexpr std::string_view kQuantStateKey = "weight.quant_state.bitsandbytes__";

/// The weight that has these entries, in memory of its own. @param entries  by names without the layer's path
/// @throws Error "[quant_state] key 'KEY': .." with names under `path`
Quantized4Bit read_packed_entries(const std::string& path, const StateDict& entries);

}  // namespace lora::nn
