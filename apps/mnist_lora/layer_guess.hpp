#pragma once
// Layers of a model, told from the names and shapes of the tensors in a file.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/base/safetensors.hpp"

namespace mnist_lora {

struct GuessedTensor {
  lora::TensorListing listing;
  std::string leaf;             ///< what follows the layer in its name: `weight`, `lora_A.weight`
  std::int64_t parameters = 0;  ///< elements; 0 for buffers and for what belongs to a quantised weight, which counts as it was
};

struct GuessedLayer {
  std::string name;                    ///< dotted path, without PEFT's `base_model.model.`; empty for names without a layer
  std::string kind;                    ///< `Linear 784 -> 64`, `Conv2d 1 -> 32, 3x3`, `BatchNorm2d 64`, ..; empty if it cannot be told
  std::vector<GuessedTensor> tensors;  ///< weight and bias first

  std::int64_t parameters() const;
  std::size_t bytes() const;
};

/// In natural order: `blocks.2` before `blocks.10`.
/// @param file  all bytes of the file: the shape of a 4-bit weight is in one of its tensors
std::vector<GuessedLayer> guess_layers(const std::vector<lora::TensorListing>& tensors, std::span<const std::byte> file);

/// `[64,784]`
std::string shape_text(const std::vector<lora::Index>& shape);

}  // namespace mnist_lora
