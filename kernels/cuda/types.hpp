#pragma once
// Which types kernels store and compute in.

#include <type_traits>

#include "core/base/dtype.hpp"

namespace lora::kernels::cuda {

/// What elements of type T are computed and summed in: bf16 in f32, others in themselves.
template <class T>
using Compute = std::conditional_t<std::is_same_v<T, bf16>, float, T>;

/// Calls f(Tag<T>{}) with float, double or bf16. The ops layer has checked the type.
template <class F>
void visit_stored(DType dtype, const F& f) {
  switch (dtype) {
    case DType::f64: return f(Tag<double>{});
    case DType::bf16: return f(Tag<bf16>{});
    default: return f(Tag<float>{});
  }
}

/// Calls f(Tag<T>{}) with float or double.
template <class F>
void visit_real(DType dtype, const F& f) {
  if (dtype == DType::f64) {
    return f(Tag<double>{});
  }
  f(Tag<float>{});
}

}  // namespace lora::kernels::cuda
