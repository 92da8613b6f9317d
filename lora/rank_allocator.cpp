#include "lora/rank_allocator.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "core/autograd.hpp"
#include "core/ops/compare.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

/// A component and how much it matters.
struct Scored {
  double score;
  std::size_t layer, component;

  bool operator<(const Scored& other) const {
    // the later component first
    return std::tie(score, other.component, layer) < std::tie(other.score, component, other.layer);
  }
};

std::vector<Scored> in_order(const std::vector<Tensor>& scores) {
  std::vector<Scored> all;
  for (std::size_t layer = 0; layer < scores.size(); ++layer) {
    const std::vector<double> values = scores[layer].to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      all.push_back({std::isnan(values[i]) ? -std::numeric_limits<double>::infinity() : values[i], layer, i});
    }
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<bool> values_of(const Tensor& mask) {
  const std::vector<int> numbers = to(mask, DType::i32).to_vector<int>();
  return {numbers.begin(), numbers.end()};
}

Index count_of(const Tensor& mask) {
  const std::vector<bool> values = values_of(mask);
  return std::count(values.begin(), values.end(), true);
}

GatedAdapter& gated(const NamedLayer& layer, const std::string& name) {
  auto* adapter = dynamic_cast<GatedAdapter*>(layer.layer->adapter(name));
  require(adapter != nullptr, "rank allocator", "the adapter '", name, "' of ", layer.path, " has no gates to prune");
  return *adapter;
}

}  // namespace

RankAllocator::RankAllocator(const AttachedAdapter& adapter) {
  steps_ = track("steps", zeros({1}, DType::i64));
  fixed_ = track("fixed", zeros({1}, DType::i64));
  for (const NamedLayer& layer : adapter.layers()) {
    GatedAdapter& gates = gated(layer, adapter.name());
    layers_.push_back({layer.path, &gates, track(layer.path + ".mask", full({gates.rank()}, 1.0, DType::boolean, gates.gate().device()))});
  }
}

std::vector<std::pair<std::string, Index>> RankAllocator::ranks() const {
  std::vector<std::pair<std::string, Index>> out;
  for (const Layer& layer : layers_) {
    out.emplace_back(layer.path, count_of(layer.mask));
  }
  return out;
}

Index RankAllocator::components() const {
  Index sum = 0;
  for (const Layer& layer : layers_) {
    sum += layer.mask.numel();
  }
  return sum;
}

Tensor RankAllocator::track(const std::string& name, Tensor value) {
  state_.emplace_back(name, value);
  return value;
}

void RankAllocator::load_state(const NamedTensors& state) {
  require(state.size() == state_.size(), "rank allocator", "the state has ", state.size(), " tensors instead of ", state_.size(),
          "; it is of another adapter");
  for (const auto& [name, own] : state_) {
    const std::string& wanted = name;
    const auto at = std::find_if(state.begin(), state.end(), [&wanted](const auto& entry) { return entry.first == wanted; });
    require(at != state.end(), "rank allocator", "the state lacks '", name, "'; it is of another adapter");
    require(at->second.shape() == own.shape() && at->second.dtype() == own.dtype(), "rank allocator", "state '", name, "' is ", at->second,
            ", the adapter needs ", own, "; it is of another one");
  }
  for (const auto& [name, values] : state) {
    const std::string& wanted = name;
    std::find_if(state_.begin(), state_.end(), [&wanted](const auto& entry) { return entry.first == wanted; })->second.copy_(values);
  }
}

void RankAllocator::prune(const std::vector<Tensor>& scores, Index count) {
  const std::vector<Scored> all = in_order(scores);
  std::vector<std::vector<float>> stays;
  for (const Layer& layer : layers_) {
    stays.emplace_back(static_cast<std::size_t>(layer.mask.numel()), 1.0f);
  }
  for (std::size_t i = 0; i < all.size() && static_cast<Index>(i) < count; ++i) {
    stays[all[i].layer][all[i].component] = 0.0f;
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].mask.copy_(ne(from_values(stays[i], layers_[i].mask.shape()), 0.0));
  }
  apply_masks();
}

void RankAllocator::apply_masks() {
  const NoGrad no_grad;
  for (const Layer& layer : layers_) {
    Tensor gate = layer.adapter->gate();
    gate.copy_(where(reshape(layer.mask, gate.shape()), gate.detach(), 0.0));
  }
}

void RankAllocator::finish() {
  for (const Layer& layer : layers_) {
    Tensor mask = layer.mask;
    if (settled()) {
      layer.adapter->keep(values_of(mask));
    } else {
      mask.fill_(1.0);
    }
  }
}

}  // namespace lora
