#pragma once
// Reductions to an extremum, a norm or a logarithm of a sum, with their derivatives: what the kernels of all devices share.

#include <cstdint>

#include "kernels/pointwise_ops.hpp"

namespace lora::kernels {

// X-list: row = name of the enumerator and of the functor. norm1, norm2, norm_inf: vector norms.
#define LORA_REDUCE_OPS(X) X(max) X(min) X(norm1) X(norm2) X(norm_inf) X(logsumexp)

#define LORA_ENUMERATOR(op) op,
enum class ReduceOp : std::uint8_t { LORA_REDUCE_OPS(LORA_ENUMERATOR) };
#undef LORA_ENUMERATOR

/// slope: dy/dx of one element x of a reduction to y. Where elements tie (`hit`), they share it: the caller divides by their number.
namespace reduction {

struct max {
  template <class T>
  LORA_HOST_DEVICE static bool hit(T x, T y) {
    return x == y;
  }
  template <class T>
  LORA_HOST_DEVICE static T slope(T x, T y) {
    return hit(x, y) ? T(1) : T(0);
  }
};
struct min : max {};
struct norm_inf {
  template <class T>
  LORA_HOST_DEVICE static bool hit(T x, T y) {
    return x == y || -x == y;
  }
  template <class T>
  LORA_HOST_DEVICE static T slope(T x, T y) {
    return hit(x, y) ? (x > T(0) ? T(1) : T(0)) - (x < T(0) ? T(1) : T(0)) : T(0);
  }
};
struct norm1 {
  template <class T>
  LORA_HOST_DEVICE static T slope(T x, T) {
    return (x > T(0) ? T(1) : T(0)) - (x < T(0) ? T(1) : T(0));
  }
};
struct norm2 {
  template <class T>
  LORA_HOST_DEVICE static T slope(T x, T y) {  // 0 is a subgradient of the norm at 0
    return y == T(0) ? T(0) : x / y;
  }
};
struct logsumexp {
  template <class T>
  LORA_HOST_DEVICE static T slope(T x, T y) {
    return std::exp(x - y);
  }
};

}  // namespace reduction

}  // namespace lora::kernels
