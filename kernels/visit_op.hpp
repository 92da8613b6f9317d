#pragma once
// From an operation named at run time to its functor, for the kernels of every device.

#include "core/base/dtype.hpp"

#define LORA_VISIT_OP_CASE(name) \
  case Op::name: return f(Tag<functors::name>{});

/// Defines visit_op(op, f), which calls f(Tag<functor>{}) with the struct of kernels::SPACE that an enumerator of OP names. LIST: its
/// X-list.
#define LORA_VISIT_OP(QUALIFIERS, OP, SPACE, LIST) \
  template <class F>                               \
  QUALIFIERS void visit_op(OP op, const F& f) {    \
    using Op = OP;                                 \
    namespace functors = kernels::SPACE;           \
    switch (op) { LIST(LORA_VISIT_OP_CASE) }       \
  }
