#pragma once
// What a method of adaptation is to the code that attaches, counts and saves adapters.

#include <memory>
#include <string_view>

#include "core/base/rng.hpp"
#include "lora/target.hpp"
#include "nn/adaptable.hpp"

namespace lora {

/// A method with its settings, able to make the adapter of one layer.
class AdapterMethod {
 public:
  virtual ~AdapterMethod() = default;
  /// PEFT's word for the method: `LORA`, ...
  virtual std::string_view peft_type() const = 0;
  virtual const TargetModules& target_modules() const = 0;
  virtual const TargetModules& exclude_modules() const = 0;
  /// @throws Error naming the layer's path if the settings do not fit it
  virtual std::unique_ptr<nn::Adapter> make(std::string_view path, const nn::AdaptableLayer& layer, Generator& generator) const = 0;
};

}  // namespace lora
