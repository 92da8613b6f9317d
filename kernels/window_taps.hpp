#pragma once
// Which taps of a kernel meet which places of an image: what a convolution and its gradients are products of.

#include "kernels/window.hpp"

namespace lora::kernels {

/// One axis of the windows: position i < size sees the source at i * step + offset + t * spread for t < taps, and 0 outside of
/// 0..source-1. Tap t stands for element first_tap + t * tap_step of the kernel; position i is element origin + i * stride of the result.
struct TapAxis {
  Index size, step, offset, spread, taps, source;
  Index first_tap, tap_step;
  Index origin, stride;
};

/// What y[i] is made of: the window of x.
TapAxis forward_taps(const WindowAxis& a);

/// What gx[phase + i * stride] is made of, for a phase below the stride. Tap t of the kernel brings gy[o] where
/// o * stride - padding + t * dilation is that place, so only every period-th tap does, or none. They are taken from the last on, which
/// reads gy in rising order.
TapAxis backward_taps(const WindowAxis& a, Index phase);

}  // namespace lora::kernels
