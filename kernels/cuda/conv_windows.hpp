#pragma once
// The windows of channels-last images as a matrix that is never made: convolution and both its gradients are products with it.

#include "kernels/cuda/gemm_tile.hpp"
#include "kernels/window.hpp"

namespace lora::kernels::cuda {

/// One axis of the windows: position i < size sees the source at i * step + offset + t * spread for t < taps, and 0 outside of
/// 0..source-1. Tap t stands for element first_tap + t * tap_step of the kernel; position i is element origin + i * stride of the result.
struct WindowsAxis {
  Index size, step, offset, spread, taps, source;
  Index first_tap, tap_step;
  Index origin, stride;
};

/// What y[i] is made of: the window of x.
inline WindowsAxis forward_windows(const WindowAxis& a) { return {a.out, a.stride, -a.padding, a.dilation, a.kernel, a.in, 0, 1, 0, 1}; }

/// What gx[phase + i * stride] is made of. Tap t of the kernel brings gy[o] where o * stride - padding + t * dilation is that place, so
/// only every period-th tap does. They are taken from the last on, which reads gy in rising order.
inline WindowsAxis backward_windows(const WindowAxis& a, Index phase) {
  const auto distance = [&](Index tap) { return phase + a.padding - tap * a.dilation; };
  Index period = 1;  // beyond the kernel it makes no difference
  while (period < a.kernel && period * a.dilation % a.stride != 0) {
    ++period;
  }
  Index first = 0;
  while (first < period && first < a.kernel && distance(first) % a.stride != 0) {
    ++first;
  }
  const Index size = (a.in - phase - 1) / a.stride + 1;
  if (first == period || first == a.kernel) {
    return {size, 1, 0, 1, 0, a.out, 0, 1, phase, a.stride};
  }
  const Index taps = (a.kernel - 1 - first) / period + 1, last = first + (taps - 1) * period;
  return {size, 1, distance(last) / a.stride, period * a.dilation / a.stride, taps, a.out, last, -period, phase, a.stride};
}

/// Windows over the images of a batch. A source pixel has `pixel` values, of which a window takes the `channels` of one group.
struct Windows {
  WindowsAxis h, w;
  Index batch, channels, pixel;

  __host__ __device__ Index positions() const { return batch * h.size * w.size; }
  /// Values of one window: kernel rows, kernel columns, channels.
  __host__ __device__ Index values() const { return h.taps * w.taps * channels; }
};

/// Image, row and column of a position.
struct Position {
  Index n, i, j;
};

__device__ inline Position position_at(const Windows& windows, Index number) {
  return {number / windows.w.size / windows.h.size, number / windows.w.size % windows.h.size, number % windows.w.size};
}

/// Windows as an operand: a side for a position before `last`, a depth for a value.
template <class T>
struct WindowsOperand {
  using Value = Compute<T>;
  const T* data;  // the group's first channel of the first pixel
  const Windows& of;
  Index last;

  struct Side {
    const T* image;  // null: outside
    Index h, w;
  };
  struct Depth {
    Index h, w, channel;  // channel below 0: outside
  };

  __device__ bool along_depth() const { return true; }

  __device__ Side side(Index i) const {
    const Position at = position_at(of, i);
    return {i < last ? data + at.n * of.h.source * of.w.source * of.pixel : nullptr, at.i * of.h.step + of.h.offset,
            at.j * of.w.step + of.w.offset};
  }

  __device__ Depth depth(Index p) const {
    const Index tap = p / of.channels;
    return {tap / of.w.taps * of.h.spread, tap % of.w.taps * of.w.spread, p < of.values() ? p - tap * of.channels : -1};
  }

  __device__ Value at(const Side& s, const Depth& d) const {
    const Index h = s.h + d.h, w = s.w + d.w;
    const bool inside = s.image != nullptr && d.channel >= 0 && h >= 0 && h < of.h.source && w >= 0 && w < of.w.source;
    return inside ? static_cast<Value>(s.image[(h * of.w.source + w) * of.pixel + d.channel]) : Value(0);
  }
};

}  // namespace lora::kernels::cuda
