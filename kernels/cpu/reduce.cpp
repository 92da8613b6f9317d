// Rows sum, reduce, reduce_ties, abs_power_sum, var and arg_reduce. Sums are taken in double, so that a million f32 values lose nothing.

#include <cmath>
#include <limits>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/reduce_plan.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

/// The larger of two values, or a NaN among them.
template <class T>
[[gnu::always_inline]] inline T larger(T a, T b) {
  return b > a || b != b ? b : a;
}

template <class T>
[[gnu::always_inline]] inline T magnitude(T x) {
  return x < T(0) ? -x : x;
}

/// Steps that add up in double.
struct Adding {
  template <class T>
  using Acc = double;
  template <class T>
  using Center = T;
  static constexpr bool kCentered = false;
  static constexpr double kStart = 0.0;
  static double join(double a, double b) { return a + b; }
};

struct Sum : Adding {
  template <class T>
  static double put(double total, T x, T) {
    return total + static_cast<double>(x);
  }
};

struct AbsSum : Adding {
  template <class T>
  static double put(double total, T x, T) {
    return total + static_cast<double>(magnitude(x));
  }
};

struct SquareSum : Adding {
  template <class T>
  static double put(double total, T x, T) {
    return mul_add(static_cast<double>(x), static_cast<double>(x), total);
  }
};

struct ExpSum : Adding {
  static constexpr bool kCentered = true;
  template <class T>
  static double put(double total, T x, T center) {
    return total + static_cast<double>(fast_exp(x - center));
  }
};

struct DeviationSum : Adding {
  template <class T>
  using Center = double;
  static constexpr bool kCentered = true;
  template <class T>
  static double put(double total, T x, double center) {
    const double deviation = static_cast<double>(x) - center;
    return mul_add(deviation, deviation, total);
  }
};

/// The center is the power.
struct PowerSum : Adding {
  template <class T>
  using Center = double;
  static constexpr bool kCentered = true;
  template <class T>
  static double put(double total, T x, double power) {
    return total + std::pow(magnitude(static_cast<double>(x)), power);
  }
};

/// Elements that tie for the result, the center.
template <class Op>
struct Hits : Adding {
  static constexpr bool kCentered = true;
  template <class T>
  static double put(double total, T x, T center) {
    return total + (Op::hit(x, center) ? 1.0 : 0.0);
  }
};

/// Steps that choose one value.
struct Choosing {
  template <class T>
  using Acc = T;
  template <class T>
  using Center = T;
  static constexpr bool kCentered = false;
};

struct Largest : Choosing {
  static constexpr double kStart = -kInf;
  template <class T>
  static T put(T total, T x, T) {
    return larger(total, x);
  }
  template <class T>
  static T join(T a, T b) {
    return larger(a, b);
  }
};

struct Smallest : Choosing {
  static constexpr double kStart = kInf;
  template <class T>
  static T put(T total, T x, T) {
    return -larger(-total, -x);
  }
  template <class T>
  static T join(T a, T b) {
    return -larger(-a, -b);
  }
};

struct LargestMagnitude : Choosing {
  static constexpr double kStart = 0.0;
  template <class T>
  static T put(T total, T x, T) {
    return larger(total, magnitude(x));
  }
  template <class T>
  static T join(T a, T b) {
    return larger(a, b);
  }
};

constexpr auto kNoCenter = [](const Block&, const void*) {};

/// y = finish(result), for reductions in one pass.
template <class Step, class T, class Y, class Finish>
void reduce_to(const ReducePlan& plan, const T* x, Y* y, const Finish& finish) {
  const Index step = plan.kept.inner_stride(1);
  reduce_all<Step>(plan, x, kNoCenter, [=, &finish](const Block& block, const Center<Step, T>*, const Acc<Step, T>* total) {
    for (Index j = 0; j < block.width; ++j) {
      y[block.y + j * step] = static_cast<Y>(finish(total[j]));
    }
  });
}

/// log(sum(exp(x))), shifted by the maximum; where that is infinite, the sum itself is 0, infinite or NaN.
template <class T>
void logsumexp_to(const ReducePlan& plan, const T* x, T* y) {
  const auto shift = [](T largest) { return magnitude(largest) < std::numeric_limits<T>::infinity() ? largest : T(0); };
  const Index step = plan.kept.inner_stride(1);
  reduce_twice<Largest, ExpSum>(plan, x, shift, [=](const Block& block, const T* center, const double* total) {
    for (Index j = 0; j < block.width; ++j) {
      y[block.y + j * step] = static_cast<T>(std::log(total[j]) + static_cast<double>(center[j]));
    }
  });
}

template <class T>
void reduce_by(ReduceOp op, const ReducePlan& plan, const T* x, T* y) {
  const auto same = [](auto total) { return total; };
  switch (op) {
    case ReduceOp::max: return reduce_to<Largest>(plan, x, y, same);
    case ReduceOp::min: return reduce_to<Smallest>(plan, x, y, same);
    case ReduceOp::norm1: return reduce_to<AbsSum>(plan, x, y, same);
    case ReduceOp::norm2: return reduce_to<SquareSum>(plan, x, y, [](double total) { return std::sqrt(total); });
    case ReduceOp::norm_inf: return reduce_to<LargestMagnitude>(plan, x, y, same);
    case ReduceOp::logsumexp: return logsumexp_to(plan, x, y);
  }
}

template <class T>
void abs_power_to(double p, const ReducePlan& plan, const T* x, double* y) {
  const auto same = [](auto total) { return total; };
  if (p == 1.0) {
    reduce_to<AbsSum>(plan, x, y, same);
  } else if (p == 2.0) {
    reduce_to<SquareSum>(plan, x, y, same);
  } else if (p == kInf) {
    reduce_to<LargestMagnitude>(plan, x, y, same);
  } else {
    reduce_all<PowerSum>(
        plan, x, [p](const Block& block, double* center) { std::fill_n(center, block.width, p); },
        [y](const Block&, const double*, const double* total) { *y = *total; });
  }
}

template <class Op, class T>
void count_hits(const ConstView& x, const ConstView& y, const View& count) {
  const ReducePlan plan = plan_reduction(x, count);
  const Index step = plan.kept.inner_stride(1);
  const T* wanted = y.ptr<T>();
  T* to = count.ptr<T>();
  reduce_all<Hits<Op>>(
      plan, x.ptr<T>(),
      [=](const Block& block, T* center) {
        for (Index j = 0; j < block.width; ++j) {
          center[j] = wanted[block.y + j * step];
        }
      },
      [=](const Block& block, const T*, const double* total) {
        for (Index j = 0; j < block.width; ++j) {
          to[block.y + j * step] = static_cast<T>(total[j]);
        }
      });
}

/// Index of the first of n values that `before` puts before all others; NaN comes before all.
template <class T, class Before>
Index first_of(Index n, const T* x, Index stride, const Before& before) {
  Index best = 0;
  T chosen = x[0];
  for (Index i = 1; i < n; ++i) {
    const T value = x[i * stride];
    if (before(value, chosen) || (value != value && chosen == chosen)) {
      chosen = value;
      best = i;
    }
  }
  return best;
}

}  // namespace

void sum(const Context&, double scale, const ConstView& x, const View& y) {
  const ReducePlan plan = plan_reduction(x, y);
  visit_real(x.dtype,
             [&]<class T>(Tag<T>) { reduce_to<Sum>(plan, x.ptr<T>(), y.ptr<T>(), [scale](double total) { return scale * total; }); });
}

void reduce(const Context&, ReduceOp op, const ConstView& x, const View& y) {
  const ReducePlan plan = plan_reduction(x, y);
  visit_real(x.dtype, [&]<class T>(Tag<T>) { reduce_by(op, plan, x.ptr<T>(), y.ptr<T>()); });
}

void reduce_ties(const Context&, ReduceOp op, const ConstView& x, const ConstView& y, const View& count) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    if (op == ReduceOp::norm_inf) {
      count_hits<reduction::norm_inf, T>(x, y, count);
    } else {
      count_hits<reduction::max, T>(x, y, count);
    }
  });
}

void abs_power_sum(const Context&, double p, const ConstView& x, const View& y) {
  View all = y;  // its one element with the axes of x
  all.shape = x.shape;
  for (Index& size : all.shape) {
    size = 1;
  }
  all.strides = all.shape;
  const ReducePlan plan = plan_reduction(x, all);
  visit_real(x.dtype, [&]<class T>(Tag<T>) { abs_power_to(p, plan, x.ptr<T>(), y.ptr<double>()); });
}

void var(const Context&, double scale, const ConstView& x, const View& mean, const View& y) {
  const ReducePlan plan = plan_reduction(x, y);
  const Index step = plan.kept.inner_stride(1);
  const auto to_mean = [n = static_cast<double>(plan.reduced.numel)](double total) { return total / n; };
  double* means = mean.ptr<double>();
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    reduce_twice<Sum, DeviationSum>(plan, x.ptr<T>(), to_mean,
                                    [=, to = y.ptr<T>()](const Block& block, const double* center, const double* total) {
                                      for (Index j = 0; j < block.width; ++j) {
                                        means[block.y + j * step] = center[j];
                                        to[block.y + j * step] = static_cast<T>(scale * total[j]);
                                      }
                                    });
  });
}

void arg_reduce(const Context&, ReduceOp op, const ConstView& x, const View& y) {
  const Index n = x.shape[0], m = x.shape[1], row = x.strides[0], column = x.strides[1], out = y.strides[0];
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T* from = x.ptr<T>();
    Index* to = y.ptr<Index>();
    parallel_for(n, std::max<Index>(1, kGrain / std::max<Index>(1, m)), [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        to[i * out] = op == ReduceOp::min ? first_of(m, from + i * row, column, [](T a, T b) { return a < b; })
                                          : first_of(m, from + i * row, column, [](T a, T b) { return a > b; });
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
