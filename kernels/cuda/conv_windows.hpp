#pragma once
// The windows of channels-last images as a matrix that is never made: convolution and both its gradients are products with it.

#include "kernels/cuda/gemm_tile.hpp"
#include "kernels/window_taps.hpp"

namespace lora::kernels::cuda {

/// Windows over the images of a batch. A source pixel has `pixel` values, of which a window takes the `channels` of one group.
struct Windows {
  TapAxis h, w;
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
