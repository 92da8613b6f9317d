#include "nn/overlay.hpp"

#include <algorithm>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"

namespace lora::nn {

Overlay::Overlay(std::string adapter, const StateDict& parameters, const StateDict& buffers) : adapter_(std::move(adapter)) {
  for (const auto& [name, tensor] : parameters) {
    require(tensor.dtype() == DType::f32 || tensor.dtype() == DType::f64, "attach", name, " is ", tensor,
            ", which cannot be trained; leave it out of bias and modules_to_save");
    entries_.push_back({name, tensor, clone(tensor.detach()), true});
  }
  for (const auto& [name, tensor] : buffers) {
    entries_.push_back({name, tensor, clone(tensor.detach()), false});
  }
}

StateDict Overlay::values() const {
  StateDict out;
  for (const Entry& entry : entries_) {
    out.push_back({entry.name, acts() ? entry.target : entry.other});
  }
  return out;
}

StateDict Overlay::parameters() const {
  StateDict out;
  for (const Entry& entry : entries_) {
    if (entry.parameter) {
      out.push_back({entry.name, acts() ? entry.target : entry.other});
    }
  }
  return out;
}

bool Overlay::covers(const Tensor& tensor) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.target.storage() == tensor.storage(); });
}

void Overlay::set_active(bool on) { set_state(on, enabled_); }

void Overlay::set_enabled(bool on) { set_state(active_, on); }

void Overlay::set_state(bool active, bool enabled) {
  const bool before = acts();
  active_ = active;
  enabled_ = enabled;
  if (acts() == before) {
    return;
  }
  const NoGrad no_grad;
  for (Entry& entry : entries_) {
    const Tensor kept = clone(entry.target.detach());
    entry.target.copy_(entry.other);
    entry.other.copy_(kept);
    if (entry.parameter) {
      entry.target.set_grad({});
    }
  }
  mark_trainable();
}

void Overlay::to(const Device& device) {
  for (Entry& entry : entries_) {
    entry.other.to_(device);
  }
}

void Overlay::mark_trainable() {
  for (Entry& entry : entries_) {
    if (entry.parameter) {
      entry.target.requires_grad_(acts());
    }
  }
}

}  // namespace lora::nn
