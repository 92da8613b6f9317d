#include "nn/adaptable.hpp"

#include <algorithm>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"

namespace lora::nn {

namespace {

/// x - x is 0 for finite numbers and NaN for all others.
bool all_finite(const Tensor& x) { return sum(x - x).item<double>() == 0.0; }

}  // namespace

AdaptableLayer::AdaptableLayer(Tensor weight, Tensor bias) : weight_(param("weight", std::move(weight))) {
  if (bias.defined()) {
    bias_ = param("bias", std::move(bias));
  }
}

Tensor AdaptableLayer::forward(const Tensor& x) const {
  const Tensor base = apply(x, weight_, bias_);
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
  Tensor changed = weight_.detach();
  for (const Slot& slot : slots_) {
    if (slot.active) {
      changed = slot.adapter->merged_weight(*this, changed);
    }
  }
  if (changed.storage() == weight_.storage()) {
    return;  // no active adapter
  }
  require(all_finite(changed), "merge", "the merged weight of ", describe(),
          " is not finite; the adapter has diverged, so nothing was merged");
  original_ = weight_;
  weight_ = changed.detach().requires_grad_(original_.requires_grad());
  replace_param("weight", weight_);
  versions_at_merge_[0] = original_.storage()->version();
  versions_at_merge_[1] = weight_.storage()->version();
}

void AdaptableLayer::unmerge() {
  if (!merged()) {
    return;
  }
  require(original_.storage()->version() == versions_at_merge_[0] && weight_.storage()->version() == versions_at_merge_[1], "unmerge",
          "the weight of ", describe(), " was changed after merge(), so restoring it would lose that change");
  weight_ = original_;
  replace_param("weight", weight_);
  original_ = {};
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
