#pragma once
// From the operation that a kernel is given to its functor: the same branch for all threads of a grid, and no kernel for each operation.

#include "core/base/dtype.hpp"
#include "kernels/binary_ops.hpp"
#include "kernels/cuda/gpu.hpp"
#include "kernels/pointwise_ops.hpp"

namespace lora::kernels::cuda {

/// Calls f(Tag<functor>{}).
template <class F>
__device__ inline void visit_op(UnaryOp op, const F& f) {
  switch (op) {
#define CASE(name) \
  case UnaryOp::name: return f(Tag<kernels::unary::name>{});
    LORA_UNARY_OPS(CASE)
#undef CASE
  }
}

template <class F>
__device__ inline void visit_op(ParamOp op, const F& f) {
  switch (op) {
#define CASE(name) \
  case ParamOp::name: return f(Tag<kernels::param::name>{});
    LORA_PARAM_OPS(CASE)
#undef CASE
  }
}

template <class F>
__device__ inline void visit_op(BinaryOp op, const F& f) {
  switch (op) {
#define CASE(name) \
  case BinaryOp::name: return f(Tag<kernels::binary::name>{});
    LORA_BINARY_OPS(CASE)
#undef CASE
  }
}

template <class F>
__device__ inline void visit_op(CompareOp op, const F& f) {
  switch (op) {
#define CASE(name) \
  case CompareOp::name: return f(Tag<kernels::compare::name>{});
    LORA_COMPARE_OPS(CASE)
#undef CASE
  }
}

/// What the slope of `op` looks at.
constexpr Needs needs_of(UnaryOp op) {
  switch (op) {
#define CASE(name) \
  case UnaryOp::name: return kernels::unary::name::needs;
    LORA_UNARY_OPS(CASE)
#undef CASE
  }
  return Needs::input;
}

}  // namespace lora::kernels::cuda
