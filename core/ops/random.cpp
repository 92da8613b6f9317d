#include "core/ops/random.hpp"

#include <cmath>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"

namespace lora {

namespace {

Index words_for(const Shape& shape, DType dtype) { return shape.numel() * (dtype == DType::f64 ? 2 : 1); }

}  // namespace

Tensor uniform(const Shape& shape, double low, double high, DType dtype, Generator& generator, const Device& device) {
  require(std::isfinite(low) && std::isfinite(high) && low <= high, "uniform", "needs finite bounds with low <= high, got ", low, " and ",
          high);
  Tensor out = empty(shape, dtype, device);
  detail::require_float("uniform", out);
  detail::kernels_of(out).uniform(detail::context_of(out), generator.reserve(words_for(shape, dtype)), low, high, out.mutable_view());
  return out;
}

Tensor randn(const Shape& shape, DType dtype, Generator& generator, const Device& device) {
  Tensor out = empty(shape, dtype, device);
  detail::require_float("randn", out);
  detail::kernels_of(out).normal(detail::context_of(out), generator.reserve(words_for(shape, dtype)), 0.0, 1.0, out.mutable_view());
  return out;
}

Tensor dropout(const Tensor& x, double p, Generator& generator) {
  detail::require_float("dropout", x);
  require(p >= 0.0 && p < 1.0, "dropout", "the probability must be in [0, 1), got ", p);
  if (p == 0.0) {
    return x;
  }
  const PhiloxState random = generator.reserve(x.numel());
  const auto mask = [random, p](const Tensor& in) {
    const Tensor source = contiguous(in);
    Tensor out = empty_like(source);
    detail::kernels_of(source).dropout(detail::context_of(source), random, p, source.view(), out.mutable_view());
    return out;
  };
  return record("dropout", {x}, mask(x.detach()), [mask](const Node&, const Tensor& gy) -> Grads { return {mask(gy)}; });
}

}  // namespace lora
