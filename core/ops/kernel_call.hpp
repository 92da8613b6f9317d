#pragma once
// What op sources share: the kernels of a tensor's device, and checks of operands.

#include <string_view>

#include "core/tensor.hpp"
#include "kernels/table.hpp"

namespace lora::detail {

inline const kernels::KernelTable& kernels_of(const Tensor& x) { return kernels::table(x.device()); }

inline kernels::Context context_of(const Tensor& x) { return kernels::context(x.device()); }

/// The operands of a kernel must be on one device.
inline void require_same_device(std::string_view op, const Tensor& a, const Tensor& b) {
  require(a.device() == b.device(), op, "operands are on different devices: ", a, " and ", b, "; copy one to the other's device");
}

/// And, where there is no conversion on the way, of one floating dtype that the CPU computes in.
inline void require_same_float(std::string_view op, const Tensor& a, const Tensor& b) {
  require_same_device(op, a, b);
  require(a.dtype() == b.dtype(), op, "operands differ in dtype: ", a, " and ", b, "; convert one with to()");
  require(is_float(a.dtype()), op, "computes in f32 or f64, got ", a, "; convert with to(x, DType::f32)");
}

inline void require_float(std::string_view op, const Tensor& x) {
  require(is_float(x.dtype()), op, "computes in f32 or f64, got ", x, "; convert with to(x, DType::f32)");
}

}  // namespace lora::detail
