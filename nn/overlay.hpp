#pragma once
// An adapter's own values of a model's tensors, as of its biases.

#include <string>
#include <vector>

#include "nn/module.hpp"

namespace lora::nn {

/// Values that an adapter has in the place of the base's for some parameters and buffers of a model, at first the base's. While it acts
/// (active and enabled) they are in the model's tensors, and the parameters train; the base's are kept here and are back, bit for bit, as
/// soon as it does not act. Of each tensor there is one overlay at most.
class Overlay {
 public:
  /// Not active at first. Names are paths in the model. @throws Error if a parameter is not f32 or f64
  Overlay(std::string adapter, const StateDict& parameters, const StateDict& buffers);

  const std::string& adapter() const { return adapter_; }
  /// Its own values: the model's tensors while it acts.
  StateDict values() const;
  StateDict parameters() const;
  bool covers(const Tensor& tensor) const;
  void set_active(bool on);
  void set_enabled(bool on);
  bool acts() const { return active_ && enabled_; }
  /// Moves what the model's tensors do not hold at the moment; the model moves these.
  void to(const Device& device);
  /// Sets requires_grad of the model's parameters anew, after these were frozen as a whole.
  void mark_trainable();

 private:
  struct Entry {
    std::string name;
    Tensor target, other;  // the model's tensor, and what it does not hold at the moment
    bool parameter;
  };
  void set_state(bool active, bool enabled);

  std::string adapter_;
  std::vector<Entry> entries_;
  bool active_ = false, enabled_ = true;
};

}  // namespace lora::nn
