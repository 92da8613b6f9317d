#include "core/ranges.hpp"

#include <cmath>

#include "core/ops/convert.hpp"

namespace lora {

namespace {

constexpr std::uint64_t kMaxCount = std::uint64_t{1} << 48;  // more than any memory holds

/// value(i) for i in 0..n-1, of the type that it has, converted to `dtype`.
template <class F>
Tensor made_of(Index n, DType dtype, const Device& device, const F& value) {
  using T = decltype(value(Index{0}));
  Tensor values = empty({n}, dtype_of<T>());
  T* at = values.mutable_data<T>();
  for (Index i = 0; i < n; ++i) {
    at[i] = value(i);
  }
  return to(to(values, dtype), device);
}

template <class T>
void check_direction(T start, T end, T step) {
  require(step > 0 || step < 0, "arange", "the step must not be ", step);
  require(step > 0 ? start <= end : start >= end, "arange", "a step of ", step, " does not lead from ", start, " to ", end);
}

}  // namespace

namespace detail {

Tensor arange(Index start, Index end, Index step, DType dtype, const Device& device) {
  check_direction(start, end, step);
  // Without a sign, as the distance of two i64 need not fit in one.
  const auto from = static_cast<std::uint64_t>(start), to = static_cast<std::uint64_t>(end), by = static_cast<std::uint64_t>(step);
  const std::uint64_t distance = step > 0 ? to - from : from - to, stride = step > 0 ? by : 0 - by;
  const std::uint64_t n = distance == 0 ? 0 : (distance - 1) / stride + 1;
  require(n <= kMaxCount, "arange", "too many elements from ", start, " to ", end, " in steps of ", step);
  return made_of(static_cast<Index>(n), dtype, device,
                 [=](Index i) { return static_cast<Index>(from + static_cast<std::uint64_t>(i) * by); });
}

Tensor arange(double start, double end, double step, DType dtype, const Device& device) {
  require(std::isfinite(start) && std::isfinite(end) && std::isfinite(step), "arange", "needs finite numbers, got ", start, ", ", end,
          " and ", step);
  check_direction(start, end, step);
  const double n = std::ceil((end - start) / step);
  require(n <= static_cast<double>(kMaxCount), "arange", "too many elements from ", start, " to ", end, " in steps of ", step);
  return made_of(static_cast<Index>(n), dtype, device, [=](Index i) { return start + static_cast<double>(i) * step; });
}

}  // namespace detail

Tensor linspace(double start, double end, Index steps, DType dtype, const Device& device) {
  require(steps >= 0 && steps <= static_cast<Index>(kMaxCount), "linspace", "the number of steps must be 0 to ", kMaxCount, ", got ",
          steps);
  require(std::isfinite(start) && std::isfinite(end) && std::isfinite(end - start), "linspace",
          "needs finite ends and a finite distance, got ", start, " and ", end);
  const double step = steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0.0;
  return made_of(steps, dtype, device, [=](Index i) {  // from the nearer end, so that both ends are exact
    return i < steps / 2 || steps == 1 ? start + step * static_cast<double>(i) : end - step * static_cast<double>(steps - 1 - i);
  });
}

Tensor eye(Index n, DType dtype, const Device& device) {
  const Tensor y = zeros({n, n}, dtype, device);
  Tensor diagonal(y.storage(), dtype, {n}, {n + 1});
  diagonal.fill_(1.0);
  return y;
}

}  // namespace lora
