// Row bce_with_logits.

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// log(1 + u) for 0 <= u <= 1, to a few units in the last place of small results too.
///   2 atanh(s) = 2 (s + s^3/3 + s^5/5 + ..) with s = u / (2 + u) <= 1/3, so each term is at most 1/9 of the one before
template <class T>
[[gnu::always_inline]] inline T log1p_unit(T u) {
  constexpr int kTerms = sizeof(T) == 4 ? 8 : 17;
  const T s = u / (T(2) + u), square = s * s;
  T series = T(1.0 / (2 * kTerms + 1));
#pragma GCC unroll 17
  for (int k = kTerms - 1; k >= 0; --k) {
    series = mul_add(series, square, T(1.0 / (2 * k + 1)));
  }
  return T(2) * s * series;
}

template <class T>
[[gnu::always_inline]] inline T loss_of(T x, T target) {
  const T positive = x > T(0) ? x : T(0), negative = x > T(0) ? -x : x;
  return (positive - x * target) + log1p_unit(fast_exp(negative));
}

}  // namespace

void bce_with_logits(const Context&, const ConstView& x, const ConstView& target, const View& loss) {
  const auto walk = make_walk(loss.shape, {&loss.strides, &x.strides, &target.strides});
  const bool contiguous = walk.inner_contiguous();
  const Index so = walk.inner_stride(0), sx = walk.inner_stride(1), st = walk.inner_stride(2);
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    walk_parallel(walk, [=, px = x.ptr<T>(), pt = target.ptr<T>(), to = loss.ptr<T>()](Index n, const Index(&offset)[3]) {
      const T *in = px + offset[1], *wanted = pt + offset[2];
      T* out = to + offset[0];
      if (contiguous) {
        return each(n, [=](Index i) { out[i] = loss_of(in[i], wanted[i]); });
      }
      for (Index i = 0; i < n; ++i) {
        out[i * so] = loss_of(in[i * sx], wanted[i * st]);
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
