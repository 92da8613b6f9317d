// Row abs_power_sum.

#include <algorithm>
#include <cmath>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kMaxParts = 64;  // their results lie on the stack
constexpr Index kLanes = 32;     // independent results within one part

// What an element counts, and how two results are made one.

struct Sum {
  [[gnu::always_inline]] static inline double join(double a, double b) { return a + b; }
};
struct Magnitudes : Sum {
  [[gnu::always_inline]] inline double value(double x) const { return std::abs(x); }
};
struct Squares : Sum {
  [[gnu::always_inline]] inline double value(double x) const { return x * x; }
};
struct Powers : Sum {
  double p;
  explicit Powers(double power) : p(power) {}
  [[gnu::always_inline]] inline double value(double x) const { return std::pow(std::abs(x), p); }
};
struct Largest {
  [[gnu::always_inline]] inline double value(double x) const { return std::abs(x); }
  [[gnu::always_inline]] static inline double join(double a, double b) {
    const double most = b > a ? b : a;
    return b != b ? b : most;
  }
};

template <class F, class T>
double row(const F& f, Index n, const T* x, Index step) {
  double lanes[kLanes] = {};
  Index i = 0;
  if (step == 1) {
    for (; i + kLanes <= n; i += kLanes) {
      for (Index j = 0; j < kLanes; ++j) {
        lanes[j] = F::join(lanes[j], f.value(static_cast<double>(x[i + j])));
      }
    }
  }
  for (; i < n; ++i) {
    lanes[i % kLanes] = F::join(lanes[i % kLanes], f.value(static_cast<double>(x[i * step])));
  }
  for (Index half = kLanes / 2; half > 0; half /= 2) {
    for (Index j = 0; j < half; ++j) {
      lanes[j] = F::join(lanes[j], lanes[j + half]);
    }
  }
  return lanes[0];
}

template <class T, class F>
double reduce(const ConstView& x, const F& f) {
  const auto walk = make_walk(x.shape, {&x.strides});
  const Index parts = std::clamp<Index>(walk.numel / (2 * kGrain), 1, kMaxParts), size = (walk.numel - 1) / parts + 1;
  double partial[kMaxParts] = {};
  parallel_for(parts, 1, [&, from = x.ptr<T>()](Index begin, Index end) {
    for (Index part = begin; part < end; ++part) {
      const Index first = part * size, last = std::min(walk.numel, first + size);
      walk_range(walk, first, last, [&](Index n, const Index(&offset)[1]) {
        partial[part] = F::join(partial[part], row(f, n, from + offset[0], walk.inner_stride(0)));
      });
    }
  });
  double result = 0;
  for (Index part = 0; part < parts; ++part) {
    result = F::join(result, partial[part]);
  }
  return result;
}

}  // namespace

void abs_power_sum(const Context&, double p, const ConstView& x, const View& y) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    double& result = *y.ptr<double>();
    if (x.numel() == 0) {
      result = 0;
    } else if (p == 2) {
      result = reduce<T>(x, Squares{});
    } else if (p == 1) {
      result = reduce<T>(x, Magnitudes{});
    } else if (std::isinf(p)) {
      result = reduce<T>(x, Largest{});
    } else {
      result = reduce<T>(x, Powers(p));
    }
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
