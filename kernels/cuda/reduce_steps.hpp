#pragma once
// What a reduction does with each value, and with the partial results. All of them are doubles: no sum of f32 loses anything that way.

#include <cmath>
#include <cstdint>
#include <limits>

#include "core/base/dtype.hpp"
#include "kernels/cuda/block.hpp"
#include "kernels/reduce_ops.hpp"

namespace lora::kernels::cuda {

// X-list: row = name of the enumerator and of the functor.
// clang-format off
#define LORA_REDUCE_STEPS(X)                                                                               \
  X(sum) X(abs_sum) X(square_sum) X(power_sum) X(exp_sum) X(deviation_sum) X(equal) X(equal_magnitude)     \
  X(largest) X(smallest) X(largest_magnitude)
// clang-format on

#define LORA_ENUMERATOR(step) step,
enum class Step : std::uint8_t { LORA_REDUCE_STEPS(LORA_ENUMERATOR) };
#undef LORA_ENUMERATOR

/// What comes out of the whole: factor * total, total / factor, the root of the total, or its logarithm plus the center.
enum class Finish : std::uint8_t { scale, divide, root, logarithm };

/// The larger of two values, or a NaN among them.
struct Larger {
  __device__ double operator()(double a, double b) const { return b > a || b != b ? b : a; }
};
struct Smaller {
  __device__ double operator()(double a, double b) const { return b < a || b != b ? b : a; }
};

/// kStart: the partial result of no values. join: what partial results become one by, a step itself. put(total, x, center): one value
/// more, of the type that x is computed in; `center` is a number of each result that some steps look at.
namespace step {

struct Adding {
  static constexpr double kStart = 0.0;
  static constexpr Step join = Step::sum;
};
struct sum : Adding {
  template <class C>
  __device__ static double put(double total, C x, double) {
    return total + static_cast<double>(x);
  }
};
struct abs_sum : Adding {
  template <class C>
  __device__ static double put(double total, C x, double) {
    return total + std::abs(static_cast<double>(x));
  }
};
struct square_sum : Adding {
  template <class C>
  __device__ static double put(double total, C x, double) {
    return total + static_cast<double>(x) * static_cast<double>(x);
  }
};
struct power_sum : Adding {  // the center is the power
  template <class C>
  __device__ static double put(double total, C x, double center) {
    return total + std::pow(std::abs(static_cast<double>(x)), center);
  }
};
struct exp_sum : Adding {
  template <class C>
  __device__ static double put(double total, C x, double center) {
    return total + static_cast<double>(std::exp(x - static_cast<C>(center)));
  }
};
struct deviation_sum : Adding {
  template <class C>
  __device__ static double put(double total, C x, double center) {
    const double deviation = static_cast<double>(x) - center;
    return total + deviation * deviation;
  }
};
struct equal : Adding {
  template <class C>
  __device__ static double put(double total, C x, double center) {
    return total + (reduction::max::hit(x, static_cast<C>(center)) ? 1.0 : 0.0);
  }
};
struct equal_magnitude : Adding {
  template <class C>
  __device__ static double put(double total, C x, double center) {
    return total + (reduction::norm_inf::hit(x, static_cast<C>(center)) ? 1.0 : 0.0);
  }
};
struct largest {
  static constexpr double kStart = -std::numeric_limits<double>::infinity();
  static constexpr Step join = Step::largest;
  template <class C>
  __device__ static double put(double total, C x, double) {
    return Larger{}(total, static_cast<double>(x));
  }
};
struct smallest {
  static constexpr double kStart = std::numeric_limits<double>::infinity();
  static constexpr Step join = Step::smallest;
  template <class C>
  __device__ static double put(double total, C x, double) {
    return Smaller{}(total, static_cast<double>(x));
  }
};
struct largest_magnitude : largest {
  static constexpr double kStart = 0.0;
  template <class C>
  __device__ static double put(double total, C x, double) {
    return Larger{}(total, std::abs(static_cast<double>(x)));
  }
};

}  // namespace step

/// f(Tag<functor>{}).
template <class F>
LORA_HOST_DEVICE constexpr auto visit_step(Step step, const F& f) {
  switch (step) {
#define CASE(name) \
  case Step::name: return f(Tag<step::name>{});
    LORA_REDUCE_STEPS(CASE)
#undef CASE
  }
  return f(Tag<step::sum>{});
}

}  // namespace lora::kernels::cuda
