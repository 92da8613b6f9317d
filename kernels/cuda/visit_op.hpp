#pragma once
// From the operation that a kernel is given to its functor: the same branch for all threads of a grid, and no kernel for each operation.

#include "kernels/binary_ops.hpp"
#include "kernels/cuda/gpu.hpp"
#include "kernels/pointwise_ops.hpp"
#include "kernels/reduce_ops.hpp"
#include "kernels/visit_op.hpp"

namespace lora::kernels::cuda {

LORA_VISIT_OP(__device__ inline, UnaryOp, unary, LORA_UNARY_OPS)
LORA_VISIT_OP(__device__ inline, ParamOp, param, LORA_PARAM_OPS)
LORA_VISIT_OP(__device__ inline, BinaryOp, binary, LORA_BINARY_OPS)
LORA_VISIT_OP(__device__ inline, ReduceOp, reduction, LORA_REDUCE_OPS)
LORA_VISIT_OP(__device__ inline, CompareOp, compare, LORA_COMPARE_OPS)

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
