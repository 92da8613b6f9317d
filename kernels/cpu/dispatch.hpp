#pragma once
// From run-time types and operations to templates. The ops layer has checked the types.

#include "core/base/dtype.hpp"
#include "kernels/binary_ops.hpp"
#include "kernels/pointwise_ops.hpp"
#include "kernels/reduce_ops.hpp"
#include "kernels/visit_op.hpp"

namespace lora::kernels::LORA_CPU_ISA {

/// Calls f(Tag<double>{}) for f64, else f(Tag<float>{}).
template <class F>
[[gnu::always_inline]] inline void visit_real(DType dtype, const F& f) {
  if (dtype == DType::f64) {
    f(Tag<double>{});
  } else {
    f(Tag<float>{});
  }
}

/// Calls f(Tag<T>{}) with the C++ type of any dtype.
template <class F>
[[gnu::always_inline]] inline void visit_any(DType dtype, const F& f) {
  switch (dtype) {
#define CASE(dtype, type) \
  case DType::dtype: return f(Tag<type>{});
    LORA_DTYPES(CASE)
#undef CASE
  }
}

LORA_VISIT_OP([[gnu::always_inline]] inline, UnaryOp, unary, LORA_UNARY_OPS)
LORA_VISIT_OP([[gnu::always_inline]] inline, ParamOp, param, LORA_PARAM_OPS)
LORA_VISIT_OP([[gnu::always_inline]] inline, BinaryOp, binary, LORA_BINARY_OPS)
LORA_VISIT_OP([[gnu::always_inline]] inline, ReduceOp, reduction, LORA_REDUCE_OPS)
LORA_VISIT_OP([[gnu::always_inline]] inline, CompareOp, compare, LORA_COMPARE_OPS)

}  // namespace lora::kernels::LORA_CPU_ISA
