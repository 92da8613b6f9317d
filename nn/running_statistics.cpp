#include "nn/running_statistics.hpp"

#include <algorithm>

#include "core/autograd.hpp"
#include "core/checkpoint.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "nn/batch_norm.hpp"

namespace lora::nn {

namespace {

thread_local RunningStatistics* collector = nullptr;

bool any_trainable(const std::vector<Tensor>& parameters) {
  return std::any_of(parameters.begin(), parameters.end(), [](const Tensor& tensor) { return tensor.requires_grad(); });
}

}  // namespace

RunningStatistics::RunningStatistics() : before_(collector) { collector = this; }

RunningStatistics::~RunningStatistics() { collector = before_; }

void RunningStatistics::apply() {
  const NoGrad no_grad;
  for (StatisticsUpdate& update : updates_) {
    move_running_statistics(update.running, update.batch, update.momentum);
    update.batches.copy_(to(to(update.batches, DType::f64) + 1.0, DType::i64));  // asks the device for nothing
  }
  updates_.clear();
}

void RunningStatistics::report(const StatisticsUpdate& update) {
  if (collector != nullptr && !recomputing()) {
    collector->updates_.push_back(update);
  }
}

void hold_frozen_statistics(Module& model) {
  const std::vector<Tensor> all = model.parameters();
  const bool frozen_model = !all.empty() && !any_trainable(all);
  for (const auto& [path, module] : model.named_modules()) {
    const std::vector<Tensor> own = module->parameters();
    if (dynamic_cast<BatchNorm2d*>(module) != nullptr && (own.empty() ? frozen_model : !own.front().requires_grad())) {
      module->eval();
    }
  }
}

}  // namespace lora::nn
