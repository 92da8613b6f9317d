#pragma once
// Tensors of regular numbers, beside arange(n) and the factories of core/tensor.hpp.

#include <type_traits>

#include "core/tensor.hpp"

namespace lora {

namespace detail {
template <class T>
concept Number = std::is_arithmetic_v<T>;
template <class... T>
inline constexpr bool kWhole = (std::is_integral_v<T> && ...);

Tensor arange(Index start, Index end, Index step, DType dtype, const Device& device);
Tensor arange(double start, double end, double step, DType dtype, const Device& device);
}  // namespace detail

/// start, start + step, .. before `end`: ceil((end - start) / step) numbers. Whole arguments are added up as i64 and give i64 where nothing
/// else is said, others as f64 and give f32.
/// @param step  not 0, and towards `end`; below 0 it counts down. @throws Error if it is not, or if an argument is not finite
template <detail::Number Start, detail::Number End, detail::Number Step = int>
Tensor arange(Start start, End end, Step step = 1, DType dtype = detail::kWhole<Start, End, Step> ? DType::i64 : DType::f32,
              const Device& device = kCpu) {
  using T = std::conditional_t<detail::kWhole<Start, End, Step>, Index, double>;
  return detail::arange(static_cast<T>(start), static_cast<T>(end), static_cast<T>(step), dtype, device);
}

/// `steps` numbers from start to end, both among them, equally far apart; one is `start`. Worked out in f64.
/// @throws Error if steps is negative
Tensor linspace(double start, double end, Index steps, DType dtype = DType::f32, const Device& device = kCpu);

/// [n, n] with ones on the diagonal and zeros elsewhere.
Tensor eye(Index n, DType dtype = DType::f32, const Device& device = kCpu);

}  // namespace lora
