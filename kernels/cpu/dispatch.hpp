#pragma once
// From run-time types and operations to templates. The ops layer has checked the types.

#include "core/base/dtype.hpp"
#include "kernels/pointwise_ops.hpp"
#include "kernels/reduce_ops.hpp"

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
    case DType::f32: return f(Tag<float>{});
    case DType::f64: return f(Tag<double>{});
    case DType::bf16: return f(Tag<bf16>{});
    case DType::f16: return f(Tag<f16>{});
    case DType::u8: return f(Tag<std::uint8_t>{});
    case DType::i32: return f(Tag<std::int32_t>{});
    case DType::i64: return f(Tag<std::int64_t>{});
    case DType::boolean: return f(Tag<bool>{});
  }
}

/// Calls f(Tag<functor>{}).
template <class F>
[[gnu::always_inline]] inline void visit_op(UnaryOp op, const F& f) {
  switch (op) {
#define CASE(name) \
  case UnaryOp::name: return f(Tag<kernels::unary::name>{});
    LORA_UNARY_OPS(CASE)
#undef CASE
  }
}

template <class F>
[[gnu::always_inline]] inline void visit_op(BinaryOp op, const F& f) {
  switch (op) {
#define CASE(name) \
  case BinaryOp::name: return f(Tag<kernels::binary::name>{});
    LORA_BINARY_OPS(CASE)
#undef CASE
  }
}

template <class F>
[[gnu::always_inline]] inline void visit_op(ReduceOp op, const F& f) {
  switch (op) {
#define CASE(name) \
  case ReduceOp::name: return f(Tag<kernels::reduction::name>{});
    LORA_REDUCE_OPS(CASE)
#undef CASE
  }
}

}  // namespace lora::kernels::LORA_CPU_ISA
