#include "nn/optim/step_lr.hpp"

#include <cmath>

namespace lora::optim {

namespace {
constexpr const char* kName = "StepLR";
}

StepLR::StepLR(Optimizer& optimizer, const StepLROptions& options) : LRScheduler(kName, optimizer), options_(options) {
  require(options.step_size >= 1, kName, "step_size is ", options.step_size, "; it must be 1 or more (epochs)");
  require(options.gamma >= 0 && std::isfinite(options.gamma), kName, "gamma is ", options.gamma, "; it must be 0 or more");
}

double StepLR::next_lr(std::int64_t t, double lr, double) const { return t % options_.step_size == 0 ? lr * options_.gamma : lr; }

}  // namespace lora::optim
