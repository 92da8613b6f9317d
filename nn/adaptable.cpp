#include "nn/adaptable.hpp"

#include <algorithm>

#include "core/autocast.hpp"
#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "nn/packed_weight.hpp"

namespace lora::nn {

namespace {

/// x - x is 0 for finite numbers and NaN for all others.
bool all_finite(const Tensor& x) { return sum(x - x).item<double>() == 0.0; }

LayerWeight dense_weight(const Tensor& dense) { return {dense, {}, {}}; }

LayerWeight packed_weight(const Quantized4Bit& packed) { return {{}, packed, packed_entries(packed)}; }

/// A dense weight stays the tensor that it is.
LayerWeight moved(const LayerWeight& weight, const Device& device) {
  if (weight.is_packed()) {
    return packed_weight(to(weight.packed, device));
  }
  Tensor dense = weight.dense;
  return dense_weight(dense.to_(device));
}

/// Share of 4-bit codes that differ; the code that fills the last byte counts for none.
double changed_share(const Quantized4Bit& a, const Quantized4Bit& b) {
  const auto x = a.packed.to_vector<int>(), y = b.packed.to_vector<int>();
  Index changed = 0;
  for (Index i = 0; i < a.numel(); ++i) {
    const auto byte = static_cast<std::size_t>(i / 2);
    const int half = i % 2 == 0 ? 0xf0 : 0x0f;
    changed += (x[byte] & half) != (y[byte] & half) ? 1 : 0;
  }
  return a.numel() > 0 ? static_cast<double>(changed) / static_cast<double>(a.numel()) : 0.0;
}

}  // namespace

AdaptableLayer::AdaptableLayer(Tensor weight, Tensor bias)
    : weight_(dense_weight(param("weight", std::move(weight)))), dtype_(weight_.dense.dtype()) {
  if (bias.defined()) {
    bias_ = param("bias", std::move(bias));
  }
}

InputGradient AdaptableLayer::input_gradient(const Shape&) const {
  fail("AdaptableLayer", describe(), " cannot keep its weight in 4 bits");
}

Tensor AdaptableLayer::weight() const { return packed() != nullptr ? lora::to(dequantize_4bit(weight_.packed), dtype_) : weight_.dense; }

void AdaptableLayer::use(LayerWeight weight) {
  replace_param("weight", weight.dense);
  weight_ = std::move(weight);
}

void AdaptableLayer::set_weight(const Tensor& dense) {
  require_unmerged("set_weight");
  require(dense.shape() == weight_shape() && dense.dtype() == dtype_, "set_weight", "the weight of ", describe(), " is ", dtype_,
          weight_shape(), ", got ", dense);
  use(dense_weight(dense));
}

void AdaptableLayer::set_weight(const Quantized4Bit& packed) {
  require_unmerged("set_weight");
  check_quantized("set_weight", packed);
  require(packed.shape == weight_shape(), "set_weight", "the weight of ", describe(), " is ", weight_shape(), ", got 4-bit ", packed.shape);
  input_gradient({});  // is an error where there is none
  use(packed_weight(packed));
}

Tensor AdaptableLayer::base_output(const Tensor& x) const {
  return packed() != nullptr ? apply_packed(*this, weight_.packed, x, bias_) : apply(x, weight_.dense, bias_);
}

Tensor AdaptableLayer::forward(const Tensor& x) const {
  const Tensor base = base_output(x);
  if (merged() || !enabled_) {
    return base;
  }
  Tensor y = base;
  for (const Slot& slot : slots_) {
    if (slot.active) {
      y = slot.adapter->add_to(y, *this, x, base);
    }
  }
  return y;
}

const AdaptableLayer::Slot* AdaptableLayer::find(std::string_view name) const {
  const auto at = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) { return slot.name == name; });
  return at == slots_.end() ? nullptr : &*at;
}

void AdaptableLayer::require_unmerged(std::string_view action) const {
  require(!merged(), action, "adapters of ", describe(), " are merged into its weight; call unmerge() first");
}

void AdaptableLayer::attach(std::string name, std::unique_ptr<Adapter> adapter) {
  require_unmerged("attach");
  require(find(name) == nullptr, "attach", describe(), " has an adapter '", name, "' already; choose another name, or detach that one");
  slots_.push_back({std::move(name), std::move(adapter), true});
}

void AdaptableLayer::detach(std::string_view name) {
  require_unmerged("detach");
  require(find(name) != nullptr, "detach", describe(), " has no adapter '", name, "'");
  std::erase_if(slots_, [&](const Slot& slot) { return slot.name == name; });
}

Adapter* AdaptableLayer::adapter(std::string_view name) const {
  const Slot* slot = find(name);
  return slot == nullptr ? nullptr : slot->adapter.get();
}

std::vector<std::string> AdaptableLayer::adapter_names() const {
  std::vector<std::string> names;
  for (const Slot& slot : slots_) {
    names.push_back(slot.name);
  }
  return names;
}

bool AdaptableLayer::is_active(std::string_view name) const {
  const Slot* slot = find(name);
  return slot != nullptr && slot->active;
}

void AdaptableLayer::set_active(std::string_view name, bool on) {
  require_unmerged("set_active");
  for (Slot& slot : slots_) {
    if (slot.name == name) {
      slot.active = on;
      return;
    }
  }
  fail("set_active", describe(), " has no adapter '", name, "'");
}

void AdaptableLayer::set_adapters_enabled(bool on) {
  require_unmerged("set_adapters_enabled");
  enabled_ = on;
}

void AdaptableLayer::merge() {
  require_unmerged("merge");
  require(enabled_, "merge", "the adapters of ", describe(), " are disabled; enable them first");
  const NoGrad no_grad;
  const Autocast exact(DType::f32);  // B A is a weight, not a product of the forward pass
  const Tensor before = weight().detach();
  Tensor changed = before;
  for (const Slot& slot : slots_) {
    if (slot.active) {
      changed = slot.adapter->merged_weight(*this, changed);
    }
  }
  if (changed.storage() == before.storage()) {
    return;  // no active adapter
  }
  require(all_finite(changed), "merge", "the merged weight of ", describe(),
          " is not finite; the adapter has diverged, so nothing was merged");
  original_ = weight_;
  use(dense_weight(changed.detach().requires_grad_(packed() == nullptr && weight_.dense.requires_grad())));
  versions_at_merge_[0] = original_->version();
  versions_at_merge_[1] = weight_.version();
}

bool AdaptableLayer::unchanged_since_merge() const {
  return original_->version() == versions_at_merge_[0] && weight_.version() == versions_at_merge_[1];
}

void AdaptableLayer::unmerge() {
  if (!merged()) {
    return;
  }
  require(unchanged_since_merge(), "unmerge", "the weight of ", describe(),
          " was changed after merge(), so restoring it would lose that change");
  use(*original_);
  original_.reset();
}

RequantizeReport AdaptableLayer::requantize() {
  require(merged() && original_->is_packed(), "requantize", "nothing is merged into a 4-bit weight of ", describe());
  require(packed() == nullptr, "requantize", "the merged weight of ", describe(), " is in 4 bits already");
  const Quantized4Bit& before = original_->packed;
  require(weight_shape() == before.shape, "requantize", "merging made the grouped weight of ", describe(),
          " dense, which has no 4-bit form of the same shape; merge without requantizing");
  const NoGrad no_grad;
  Quantized4Bit after = quantize_4bit(weight_.dense, {before.quant_type, before.blocksize, before.nested()});
  after.dtype = before.dtype;
  const Tensor error = abs(lora::to(lora::to(dequantize_4bit(after), dtype_) - weight_.dense, DType::f64));
  const RequantizeReport report{amax(error).item<double>(), mean(error).item<double>(), changed_share(before, after)};
  use(packed_weight(after));
  versions_at_merge_[1] = weight_.version();
  return report;
}

void AdaptableLayer::move_extra(const Device& device) {
  const bool unchanged = merged() && unchanged_since_merge();
  use(moved(weight_, device));
  if (merged()) {
    original_ = moved(*original_, device);
    versions_at_merge_[0] = original_->version() + (unchanged ? 0 : 1);  // counted anew in the new memory
    versions_at_merge_[1] = weight_.version();
  }
  for (const Slot& slot : slots_) {
    for (const auto& [name, tensor] : slot.adapter->named_parameters()) {
      Tensor(tensor).to_(device);
    }
  }
}

std::vector<Tensor> AdaptableLayer::extra_parameters() const {
  std::vector<Tensor> out;
  for (const Slot& slot : slots_) {
    if (slot.active && !merged()) {
      for (const auto& [name, tensor] : slot.adapter->named_parameters()) {
        out.push_back(tensor);
      }
    }
  }
  return out;
}

}  // namespace lora::nn
