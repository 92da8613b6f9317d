#include "nn/optim/exponential_lr.hpp"

#include <cmath>

namespace lora::optim {

namespace {
constexpr const char* kName = "ExponentialLR";
}

ExponentialLR::ExponentialLR(Optimizer& optimizer, const ExponentialLROptions& options) : LRScheduler(kName, optimizer), options_(options) {
  require(options.gamma > 0 && std::isfinite(options.gamma), kName, "gamma is ", options.gamma, "; it must be more than 0");
}

double ExponentialLR::next_lr(std::int64_t, double lr, double) const { return lr * options_.gamma; }

}  // namespace lora::optim
