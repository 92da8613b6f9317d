#include "lora/gated_adapter.hpp"

#include <algorithm>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/index.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

/// [r, 1, ..] with as many axes as `like`.
Tensor spread_over(const Tensor& gate, const Tensor& like) {
  Shape shape = {gate.size(0)};
  while (shape.ndim() < like.ndim()) {
    shape.push_back(1);
  }
  return reshape(gate, shape);
}

/// Positions of what is chosen, group by group and the same number in each: where a group has fewer, its first others join.
std::vector<std::int64_t> positions(const std::vector<bool>& chosen, std::size_t groups) {
  const std::size_t each = chosen.size() / groups;
  std::ptrdiff_t most = 0;
  for (std::size_t g = 0; g < groups; ++g) {
    const auto first = chosen.begin() + static_cast<std::ptrdiff_t>(g * each);
    most = std::max(most, std::count(first, first + static_cast<std::ptrdiff_t>(each), true));
  }
  std::vector<std::int64_t> out;
  for (std::size_t g = 0; g < groups; ++g) {
    std::vector<std::int64_t> members, others;
    for (std::size_t i = g * each; i < (g + 1) * each; ++i) {
      (chosen[i] ? members : others).push_back(static_cast<std::int64_t>(i));
    }
    const auto spare = most - static_cast<std::ptrdiff_t>(members.size());
    members.insert(members.end(), others.begin(), others.begin() + spare);
    std::sort(members.begin(), members.end());
    out.insert(out.end(), members.begin(), members.end());
  }
  return out;
}

/// `kept` with only those of its components that are at these positions among them.
std::vector<bool> narrowed(const std::vector<bool>& kept, const std::vector<std::int64_t>& at) {
  std::vector<bool> out(kept.size(), false);
  std::int64_t i = 0;
  for (std::size_t k = 0; k < kept.size(); ++k) {
    if (kept[k]) {
      out[k] = std::binary_search(at.begin(), at.end(), i++);
    }
  }
  return out;
}

}  // namespace

GatedAdapter::GatedAdapter(const nn::AdaptableLayer& layer, GatedStart start)
    : scaling_(start.scaling), dropout_(start.dropout), groups_(layer.groups()), kept_(std::move(start.kept)) {
  const Index rank = start.a.size(0);
  require(std::count(kept_.begin(), kept_.end(), true) == rank, "adapter", "A has ", rank, " components, but another number is kept");
  a_ = param("lora_A", to(start.a, layer.device()));
  gate_ = param(std::move(start.gate), zeros({rank, 1}, start.a.dtype(), layer.device()));
  b_ = param("lora_B", to(start.b, layer.device()));
}

Tensor GatedAdapter::gated() const { return a_ * spread_over(gate_, a_); }

Tensor GatedAdapter::add_to(const Tensor& sum, const nn::AdaptableLayer& layer, const Tensor& x, const Tensor&) const {
  if (rank() == 0) {
    return sum;
  }
  const Tensor seen = layer.training() ? dropout(x, dropout_) : x;
  return layer.up(layer.down(seen, gated()), b_, scaling_, sum);
}

Tensor GatedAdapter::merged_weight(const nn::AdaptableLayer& layer, const Tensor& weight) const {
  return rank() == 0 ? weight : layer.spread(weight) + scaling_ * layer.outer(b_, gated());
}

Tensor GatedAdapter::rows(const Tensor& like_a) const { return flatten(like_a, 1); }

Tensor GatedAdapter::columns(const Tensor& like_b) const { return reshape(like_b, {groups_, like_b.size(0) / groups_, rank() / groups_}); }

void GatedAdapter::keep(const std::vector<bool>& components) {
  require(static_cast<Index>(components.size()) == rank(), "adapter", "of ", rank(), " components ", components.size(),
          " are said to stay or not");
  const NoGrad no_grad;
  const std::vector<std::int64_t> at = positions(components, static_cast<std::size_t>(groups_));
  const auto count = static_cast<Index>(at.size());
  const Tensor index = to(from_values(at, {count}), a_.device());
  // Column j of group g is component g * (r / G) + j, so columns are picked as components, with B as [out / G, r].
  const Shape grouped{groups_, b_.size(0) / groups_, count / groups_};
  const Tensor flat = flatten(transpose(columns(b_), 0, 1), 1);
  const Tensor picked = unflatten(index_select(flat, 1, index), 1, {grouped[0], grouped[2]});
  Shape b_shape = b_.shape();
  b_shape[1] = count / groups_;
  kept_ = narrowed(kept_, at);
  a_ = replace_param(0, clone(index_select(a_, 0, index).detach()));
  gate_ = replace_param(1, clone(index_select(gate_, 0, index).detach()));
  b_ = replace_param(2, clone(reshape(transpose(picked, 0, 1), b_shape).detach()));
}

}  // namespace lora
