#include "kernels/window_taps.hpp"

#include <algorithm>

namespace lora::kernels {

TapAxis forward_taps(const WindowAxis& a) { return {a.out, a.stride, -a.padding, a.dilation, a.kernel, a.in, 0, 1, 0, 1}; }

TapAxis backward_taps(const WindowAxis& a, Index phase) {
  const auto distance = [&](Index tap) { return phase + a.padding - tap * a.dilation; };
  Index period = 1;  // beyond the kernel it makes no difference
  while (period < a.kernel && period * a.dilation % a.stride != 0) {
    ++period;
  }
  Index first = 0;
  while (first < period && distance(first) % a.stride != 0) {
    ++first;
  }
  const Index size = (a.in - phase - 1) / a.stride + 1;
  if (first == period) {
    return {size, 1, 0, 1, 0, a.out, 0, 1, phase, a.stride};
  }
  const Index taps = (a.kernel - 1 - first) / period + 1, last = first + (taps - 1) * period;
  return {size,  1,       distance(last) / a.stride, std::max<Index>(1, period * a.dilation / a.stride), taps, a.out, last, -period,
          phase, a.stride};
}

}  // namespace lora::kernels
