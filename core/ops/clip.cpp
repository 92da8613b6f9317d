#include "core/ops/clip.hpp"

#include "core/ops/kernel_call.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

/// Elements that share memory would be changed more than once.
void begin_change(const char* op, const Tensor& x) {
  detail::require_float(op, x);
  require(x.is_contiguous(), op, x, " is not contiguous; give its contiguous()");
  x.storage()->bump_version();
}

}  // namespace

Tensor abs_power_sums(std::span<const Tensor> xs, double p) {
  require(p > 0, "abs_power_sums", "the power is ", p, "; it must be more than 0");
  if (xs.empty()) {
    return empty({0}, DType::f64);
  }
  const Tensor sums = empty({static_cast<Index>(xs.size())}, DType::f64, xs[0].device());
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const Tensor& x = xs[i];
    detail::require_float("abs_power_sums", x);
    detail::require_same_device("abs_power_sums", x, xs[0]);
    const Tensor place = narrow(sums, 0, static_cast<Index>(i), 1);
    detail::kernels_of(x).abs_power_sum(detail::context_of(x), p, x.view(), place.mutable_view());
  }
  return sums;
}

void mul_(Tensor& x, double factor) {
  begin_change("mul_", x);
  detail::kernels_of(x).affine(detail::context_of(x), factor, 0.0, x.view(), x.mutable_view());
}

void clamp_(Tensor& x, double min, double max) {
  require(min <= max, "clamp_", "min ", min, " and max ", max, " leave nothing between them; give min <= max");
  begin_change("clamp_", x);
  detail::kernels_of(x).clamp(detail::context_of(x), min, max, x.view(), x.mutable_view());
}

}  // namespace lora
