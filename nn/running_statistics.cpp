#include "nn/running_statistics.hpp"

#include "core/autograd.hpp"
#include "core/checkpoint.hpp"

namespace lora::nn {

namespace {

thread_local RunningStatistics* collector = nullptr;

}  // namespace

RunningStatistics::RunningStatistics() : before_(collector) { collector = this; }

RunningStatistics::~RunningStatistics() { collector = before_; }

void RunningStatistics::apply() {
  const NoGrad no_grad;
  for (StatisticsUpdate& update : updates_) {
    move_running_statistics(update.running, update.batch, update.momentum);
    update.batches.fill_(static_cast<double>(update.batches.item<std::int64_t>() + 1));
  }
  updates_.clear();
}

void RunningStatistics::report(const StatisticsUpdate& update) {
  if (collector != nullptr && !recomputing()) {
    collector->updates_.push_back(update);
  }
}

}  // namespace lora::nn
