#pragma once
// The base of layers and models: named parameters, buffers and children.

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tensor.hpp"

namespace lora::nn {

/// A tensor with its dotted path in the model, as in `blocks.0.conv1.weight`.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

using StateDict = std::vector<NamedTensor>;

class Overlay;

/// A layer or model. Members register themselves in their constructor (`param`, `buffer`, `child`); addresses stay, so no copy and no move.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// The module's function. Never changes parameters, buffers or adapters.
  virtual Tensor forward(const Tensor& x) const = 0;
  Tensor operator()(const Tensor& x) const { return forward(x); }

  /// Name for people: `Linear(784, 64)`.
  virtual std::string describe() const = 0;

  /// Parameters of this module and its children, in order of registration. The tensors are handles: changing them changes the module.
  std::vector<NamedTensor> named_parameters() const;
  std::vector<Tensor> parameters() const;
  /// Parameters that require a gradient, adapters' included: what an optimizer gets.
  std::vector<Tensor> trainable_parameters() const;
  std::vector<NamedTensor> named_buffers() const;
  /// This module ("" is its name) and all below it, parents first.
  std::vector<std::pair<std::string, Module*>> named_modules();
  std::vector<std::pair<std::string, const Module*>> named_modules() const;

  /// Parameters and buffers under PyTorch's names, and 4-bit weights under those of bitsandbytes. Adapters are never part of it.
  StateDict state_dict() const;
  /// Copies values in, converted to the module's dtypes. A layer's weight becomes one of 4 bits or dense as it is in `state`.
  /// @throws Error listing every missing or unexpected name and wrong shape; then nothing was changed
  void load_state_dict(const StateDict& state);

  /// Moves parameters, buffers, gradients, adapters and weights of 4 bits to a device, in place: handles on them follow. What was made for
  /// them on the former device, such as the state of an optimizer that has done a step, does not; make it afterwards.
  void to(const Device& device);
  /// Where the module's tensors are; the CPU if it has none.
  Device device() const;

  /// Training mode for this module and its children (dropout acts in training only).
  void train(bool on = true);
  void eval() { train(false); }
  bool training() const { return training_; }
  /// What adapters have in the place of this model's own values (nn/overlay.hpp): kept by the model that they were attached to.
  const std::vector<std::shared_ptr<Overlay>>& overlays() const { return overlays_; }
  void add_overlay(std::shared_ptr<Overlay> overlay);
  void remove_overlay(const Overlay& overlay);

  /// Drops all gradients.
  void zero_grad();
  /// Sets requires_grad of all parameters.
  void requires_grad_(bool on);

 protected:
  Tensor param(std::string name, Tensor value);
  Tensor buffer(std::string name, Tensor value);
  /// Puts another tensor in the place of a parameter, of any shape; an undefined one leaves the place empty. Handles to the old one are no
  /// longer part of the module.
  void replace_param(std::string_view name, const Tensor& value);
  /// Registers a member (which must live as long as this module) and gives it back.
  template <class M>
  M& child(std::string name, M& module) {
    add_child(std::move(name), module);
    return module;
  }
  /// What a module trains beyond its own parameters (a layer's adapters); not part of the state dict.
  virtual std::vector<Tensor> extra_parameters() const { return {}; }
  /// What a module keeps in a state dict beyond parameters and buffers, by names without its path (a layer's 4-bit weight).
  virtual StateDict extra_state() const { return {}; }
  /// Moves what a module keeps beyond parameters and buffers.
  virtual void move_extra(const Device&) {}

 private:
  void add_child(std::string name, Module& module);

  std::vector<NamedTensor> parameters_, buffers_;
  std::vector<std::pair<std::string, Module*>> children_;
  std::vector<std::shared_ptr<Overlay>> overlays_;
  bool training_ = true;
};

}  // namespace lora::nn
