#include "nn/optim/linear_lr.hpp"

namespace lora::optim {

namespace {
constexpr const char* kName = "LinearLR";
}

LinearLR::LinearLR(Optimizer& optimizer, const LinearLROptions& o) : LRScheduler(kName, optimizer), options_(o) {
  require(o.start_factor > 0 && o.start_factor <= 1, kName, "start_factor is ", o.start_factor, "; it must be in (0,1]");
  require(o.end_factor >= 0 && o.end_factor <= 1, kName, "end_factor is ", o.end_factor, "; it must be in [0,1]");
  require(o.total_iters >= 1, kName, "total_iters is ", o.total_iters, "; it must be 1 or more (epochs)");
  std::vector<double> rates = optimizer.lrs();
  for (double& lr : rates) {
    lr *= o.start_factor;
  }
  optimizer.set_lrs(rates);
}

double LinearLR::next_lr(std::int64_t t, double lr, double) const {
  if (t > options_.total_iters) {
    return lr;
  }
  // total_iters times the factor before this step, which is more than 0 as only the last factor may be 0
  const double slope = options_.end_factor - options_.start_factor;
  const double before = static_cast<double>(options_.total_iters) * options_.start_factor + static_cast<double>(t - 1) * slope;
  return lr * (1.0 + slope / before);
}

}  // namespace lora::optim
