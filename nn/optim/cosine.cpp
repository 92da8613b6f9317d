#include "nn/optim/cosine.hpp"

#include <cmath>
#include <numbers>

namespace lora::optim {

namespace {
constexpr const char* kName = "CosineAnnealingLR";
}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, const CosineAnnealingOptions& options)
    : LRScheduler(kName, optimizer), options_(options) {
  require(options.T_max >= 1, kName, "T_max is ", options.T_max, "; it must be 1 or more (epochs)");
  require(options.eta_min >= 0, kName, "eta_min is ", options.eta_min, "; it must be 0 or more");
}

double CosineAnnealingLR::next_lr(std::int64_t t, double lr, double base_lr) const {
  const auto t_max = static_cast<double>(options_.T_max);
  // At the lowest point the ratio below is 0 / 0: the first step up is taken by itself.
  if ((t - 1 - options_.T_max) % (2 * options_.T_max) == 0) {
    return lr + (base_lr - options_.eta_min) * (1 - std::cos(std::numbers::pi / t_max)) / 2;
  }
  // Near the lowest point the ratio multiplies rounding errors by T_max^2, so the order of operations is PyTorch's.
  const auto cosine = [&](std::int64_t at) { return std::cos(std::numbers::pi * static_cast<double>(at) / t_max); };
  return (1 + cosine(t)) / (1 + cosine(t - 1)) * (lr - options_.eta_min) + options_.eta_min;
}

}  // namespace lora::optim
