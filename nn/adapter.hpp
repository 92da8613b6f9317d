#pragma once
// What a method of adaptation is to a layer. The methods themselves live in lora/.

#include <string>
#include <utility>
#include <vector>

#include "core/tensor.hpp"
#include "nn/module.hpp"

namespace lora::nn {

class AdaptableLayer;

/// A trainable change of one layer's function, attached to it. It supplies the mathematics only: attaching, switching, merging, freezing,
/// counting and saving are written once, for all methods.
class Adapter {
 public:
  Adapter() = default;
  virtual ~Adapter() = default;
  Adapter(const Adapter&) = delete;
  Adapter& operator=(const Adapter&) = delete;

  /// sum + this adapter's share in the output.
  /// @param sum   the layer's output so far: `base` plus the shares of adapters before this one
  /// @param x     the layer's input. @param base  the layer's own output for x, bias included
  virtual Tensor add_to(const Tensor& sum, const AdaptableLayer& layer, const Tensor& x, const Tensor& base) const = 0;

  /// The weight that makes the layer alone give what it gives with this adapter, outside of training. It may be spread (AdaptableLayer).
  virtual Tensor merged_weight(const AdaptableLayer& layer, const Tensor& weight) const = 0;

  /// The adapter's own tensors, in order: `lora_A`, `lora_B`, ...
  const std::vector<NamedTensor>& named_parameters() const { return parameters_; }

 protected:
  Tensor param(std::string name, Tensor value) {
    value.requires_grad_();
    parameters_.push_back({std::move(name), value});
    return value;
  }
  /// Gives parameter i (in order of registration) another tensor, as where parts of it are removed.
  Tensor replace_param(std::size_t i, Tensor value) {
    value.requires_grad_();
    parameters_.at(i).tensor = value;
    return value;
  }

 private:
  std::vector<NamedTensor> parameters_;
};

}  // namespace lora::nn
