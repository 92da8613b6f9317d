#pragma once
// Loops along one row of a walk: contiguous ones vectorise, also where an operand repeats one value.

#include "core/base/shape.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {

/// out[i] = f(a[i], b[i]); stride 0 is a value for the whole row. kVector: whether loops over f vectorise.
template <bool kVector = true, class Out, class In, class F>
[[gnu::always_inline]] inline void binary_row(Index n, const In* a, Index sa, const In* b, Index sb, Out* out, Index so, const F& f) {
  if (kVector && so == 1 && sa == 1 && sb == 1) {
    each(n, [=](Index i) { out[i] = f(a[i], b[i]); });
  } else if (kVector && so == 1 && sa == 1 && sb == 0) {
    each(n, [=, value = *b](Index i) { out[i] = f(a[i], value); });
  } else if (kVector && so == 1 && sa == 0 && sb == 1) {
    each(n, [=, value = *a](Index i) { out[i] = f(value, b[i]); });
  } else {
    for (Index i = 0; i < n; ++i) {
      out[i * so] = f(a[i * sa], b[i * sb]);
    }
  }
}

}  // namespace lora::kernels::LORA_CPU_ISA
