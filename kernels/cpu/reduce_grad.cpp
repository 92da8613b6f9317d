// Rows reduce_grad and var_grad.

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/math.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

/// A row of equal values; a pointer is one of different values.
template <class T>
struct Repeated {
  T value;
  T operator[](Index) const { return value; }
};

template <class Op>
struct CpuSlope : Op {};

template <>
struct CpuSlope<reduction::logsumexp> {
  template <class T>
  [[gnu::always_inline]] static inline T slope(T x, T y) {
    return fast_exp(x - y);
  }
};

template <>
struct CpuSlope<reduction::norm2> {
  template <class T>
  [[gnu::always_inline]] static inline T slope(T x, T y) {
    return kept_if(y != T(0), x / y);
  }
};

/// x - mean, with the mean in double.
struct Deviation {
  template <class T>
  [[gnu::always_inline]] static inline T slope(T x, double mean) {
    return static_cast<T>(static_cast<double>(x) - mean);
  }
};

/// gx = gy Op::slope(x, y), where y is of type Y.
template <class Op, class T, class Y>
void slopes(const ConstView& x, const ConstView& y, const ConstView& gy, const View& gx) {
  const auto walk = make_walk(gx.shape, {&gx.strides, &x.strides, &gy.strides, &y.strides});
  const Index so = walk.inner_stride(0), sx = walk.inner_stride(1), sg = walk.inner_stride(2), sy = walk.inner_stride(3);
  walk_parallel(walk, [=, px = x.ptr<T>(), py = y.ptr<Y>(), pg = gy.ptr<T>(), to = gx.ptr<T>()](Index n, const Index(&offset)[4]) {
    T* out = to + offset[0];
    const T *in = px + offset[1], *g = pg + offset[2];
    const Y* r = py + offset[3];
    const auto contiguous = [=](auto factor, auto result) { each(n, [=](Index i) { out[i] = factor[i] * Op::slope(in[i], result[i]); }); };
    if (so == 1 && sx == 1 && sg == 0 && sy == 0) {
      contiguous(Repeated<T>{*g}, Repeated<Y>{*r});
    } else if (so == 1 && sx == 1 && sg == 0 && sy == 1) {
      contiguous(Repeated<T>{*g}, r);
    } else if (so == 1 && sx == 1 && sg == 1 && sy == 1) {
      contiguous(g, r);
    } else {
      for (Index i = 0; i < n; ++i) {
        out[i * so] = g[i * sg] * Op::slope(in[i * sx], r[i * sy]);
      }
    }
  });
}

}  // namespace

void reduce_grad(const Context&, ReduceOp op, const ConstView& x, const ConstView& y, const ConstView& gy, const View& gx) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) { visit_op(op, [&]<class Op>(Tag<Op>) { slopes<CpuSlope<Op>, T, T>(x, y, gy, gx); }); });
}

void var_grad(const Context&, const ConstView& x, const ConstView& mean, const ConstView& gy, const View& gx) {
  visit_real(x.dtype, [&]<class T>(Tag<T>) { slopes<Deviation, T, double>(x, mean, gy, gx); });
}

}  // namespace lora::kernels::LORA_CPU_ISA
