#include "lora/adalora_allocator.hpp"

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

/// ||x - I||_F of one matrix, or of several on the last two axes as one that has them on its diagonal.
Tensor distance_from_identity(const Tensor& x) { return norm(x - eye(x.size(-1), x.dtype(), x.device())); }

}  // namespace

AdaLoraAllocator::AdaLoraAllocator(const AttachedAdapter& adapter, AdaLoraConfig config)
    : RankAllocator(adapter), config_(std::move(config)) {
  for (const Layer& layer : layers()) {
    const GatedAdapter& g = *layer.adapter;
    sensitivities_.push_back(
        {follow(layer.path + ".lora_A", g.a()), follow(layer.path + ".lora_E", g.gate()), follow(layer.path + ".lora_B", g.b())});
  }
}

AdaLoraAllocator::Sensitivity AdaLoraAllocator::follow(const std::string& name, const Tensor& parameter) {
  const Tensor zero = zeros(parameter.shape(), parameter.dtype(), parameter.device());
  return {parameter, track(name + ".mean", zero), track(name + ".uncertainty", zeros_like(zero))};
}

Tensor AdaLoraAllocator::loss() const {
  if (config_.orth_reg_weight == 0.0) {
    return {};
  }
  const Autocast exact(DType::f32);  // a loss, near I: what is left of the products is their rounding
  Tensor sum;
  for (const Layer& layer : layers()) {
    const Tensor rows = layer.adapter->rows(layer.adapter->a()), columns = layer.adapter->columns(layer.adapter->b());
    const Tensor both = distance_from_identity(matmul(rows, t(rows))) + distance_from_identity(matmul(transpose(columns, 1, 2), columns));
    sum = sum.defined() ? sum + both : both;
  }
  return sum * (config_.orth_reg_weight / static_cast<double>(2 * layers().size()));
}

Index AdaLoraAllocator::budget(Index step) const {
  const Index all = components();
  const Index target = std::min(all, config_.target_r * static_cast<Index>(layers().size()));
  const Index first = config_.tinit, last = config_.total_step - config_.tfinal;
  if (step <= first) {
    return all;
  }
  if (step >= last) {
    return target;
  }
  const double left = 1.0 - static_cast<double>(step - first) / static_cast<double>(last - first);
  return static_cast<Index>(static_cast<double>(all - target) * std::pow(left, 3.0) + static_cast<double>(target));
}

void AdaLoraAllocator::update(Sensitivity& s) const {
  const Tensor grad = s.parameter.grad();
  const Tensor now = grad.defined() ? abs(s.parameter.detach() * grad) : zeros_like(s.mean);
  s.mean.copy_(config_.beta1 * s.mean + (1.0 - config_.beta1) * now);
  s.uncertainty.copy_(config_.beta2 * s.uncertainty + (1.0 - config_.beta2) * abs(now - s.mean));
}

void AdaLoraAllocator::prune_to(Index budget) {
  std::vector<Tensor> scores;
  for (std::size_t i = 0; i < layers().size(); ++i) {
    const auto score = [](const Sensitivity& s) { return s.mean * s.uncertainty; };
    const GatedAdapter& adapter = *layers()[i].adapter;
    const LayerSensitivity& s = sensitivities_[i];
    scores.push_back(flatten(score(s.e)) + mean(adapter.rows(score(s.a)), {1}) + flatten(mean(adapter.columns(score(s.b)), {1})));
  }
  prune(scores, components() - budget);
}

void AdaLoraAllocator::update_and_allocate(Index step) {
  const NoGrad no_grad;
  const Index last = config_.total_step - config_.tfinal;
  if (step > last) {
    apply_masks();
    return;
  }
  if (step < last) {
    for (LayerSensitivity& s : sensitivities_) {
      update(s.a);
      update(s.e);
      update(s.b);
    }
  }
  if (step == last || (step > config_.tinit && step % config_.deltaT == 0)) {
    prune_to(budget(step));
  }
  if (step == last) {
    fix();
  }
}

void AdaLoraAllocator::after_step() {
  update_and_allocate(steps());
  next_step();
  if (steps() == config_.total_step && !settled()) {
    const NoGrad no_grad;
    prune_to(budget(config_.total_step));
    fix();
  }
}

}  // namespace lora
