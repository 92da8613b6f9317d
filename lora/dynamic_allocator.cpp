#include "lora/dynamic_allocator.hpp"

#include <algorithm>
#include <cmath>

#include "core/autocast.hpp"
#include "core/autograd.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "core/ranges.hpp"

namespace lora {

namespace {

constexpr double kNormEpsilon = 1e-8;  // the authors', against an update of 0

Index step_at(double share, Index steps) { return std::min(steps - 1, static_cast<Index>(share * static_cast<double>(steps))); }

/// Sum of the variances along `axis`; 0 where there is one number only.
Tensor sum_of_variances(const Tensor& x, Index axis) { return sum(var(x, {axis}, x.size(axis) > 1 ? 1.0 : 0.0)); }

/// [r, r] with the products of columns of B; 0 between columns of different groups.
Tensor products_of_columns(const GatedAdapter& adapter) {
  const Tensor columns = adapter.columns(adapter.b().detach());
  const Tensor products = matmul(transpose(columns, 1, 2), columns);  // [G, r / G, r / G]
  const Index groups = products.size(0), each = products.size(1);
  const Tensor diagonal = reshape(eye(groups, products.dtype(), products.device()), {groups, 1, groups, 1});
  return reshape(reshape(products, {groups, each, 1, each}) * diagonal, {groups * each, groups * each});
}

/// [r]: the share of each component in the layer's update. Norms of products by way of the r x r products alone.
Tensor importance(const GatedAdapter& adapter) {
  const Autocast exact(DType::f32);  // scores, not a layer's products
  const Tensor rows = adapter.rows(adapter.a().detach()), c = adapter.gate().detach();
  const Tensor products = products_of_columns(adapter) * matmul(rows, t(rows)) * (c * t(c));
  const Tensor norm = sqrt(clamp(sum(products), 0.0)) + kNormEpsilon;
  const Tensor row_norms = sqrt(sum(square(rows), {1}));
  const Tensor column_norms = flatten(sqrt(sum(square(adapter.columns(adapter.b().detach())), {1})));
  return abs(flatten(c)) * row_norms * column_norms / norm;
}

}  // namespace

DynamicAllocator::DynamicAllocator(const AttachedAdapter& adapter, DynamicLoraConfig config)
    : RankAllocator(adapter),
      config_(std::move(config)),
      first_(step_at(config_.prune_start, config_.total_step)),
      last_(step_at(config_.prune_end, config_.total_step)) {
  for (const Layer& layer : layers()) {
    const Tensor& gate = layer.adapter->gate();
    scores_.push_back(track(layer.path + ".score", zeros({gate.numel()}, gate.dtype(), gate.device())));
  }
}

Tensor DynamicAllocator::loss() const {
  if (settled() || config_.dem_weight == 0.0 || components() == 0) {
    return {};
  }
  Tensor total;
  for (const Layer& layer : layers()) {
    const GatedAdapter& g = *layer.adapter;
    const Tensor both = sum_of_variances(g.rows(g.a()), 1) + sum_of_variances(g.columns(g.b()), 1);
    total = total.defined() ? total + both : both;
  }
  return total * (config_.dem_weight / static_cast<double>(2 * components()));
}

Index DynamicAllocator::pruned(Index step) const {
  const Index all = components();
  const Index target = std::min(all, config_.r * static_cast<Index>(layers().size()));
  if (step < first_ || step >= last_) {
    return step < first_ ? 0 : all - target;
  }
  const double done = static_cast<double>(step - first_) / static_cast<double>(last_ - first_);
  return static_cast<Index>(static_cast<double>(all - target) * std::pow(done, 3.0));
}

void DynamicAllocator::update_scores() {
  for (std::size_t i = 0; i < scores_.size(); ++i) {
    scores_[i].copy_(config_.beta * scores_[i] + (1.0 - config_.beta) * importance(*layers()[i].adapter));
  }
}

void DynamicAllocator::after_step() {
  const NoGrad no_grad;
  const Index step = steps();
  next_step();
  if (settled()) {
    apply_masks();
    return;
  }
  update_scores();
  if (step == last_ || (step >= first_ && (step - first_) % config_.prune_interval == 0)) {
    prune(scores_, pruned(step));
  }
  if (step == last_) {
    fix();
  }
}

}  // namespace lora
