#pragma once
// 4-bit weights in a state dict that is being loaded.

#include <map>
#include <string>
#include <vector>

#include "nn/adaptable.hpp"

namespace lora::nn {

/// The weight that a layer will have. A dense one is new memory that the caller fills.
struct NewWeight {
  AdaptableLayer* layer;
  std::string key;  ///< the weight's name in the state dict
  Quantized4Bit packed;
  Tensor dense;  ///< where the weight will not be one of 4 bits
  /// Gives it to the layer.
  void put() const;
};

/// For all layers that have or get a weight of 4 bits, that which they get: what `given` says of 4-bit weights is taken out of it.
/// @throws Error naming the key
std::vector<NewWeight> new_weights(Module& module, std::map<std::string, Tensor>& given);

}  // namespace lora::nn
