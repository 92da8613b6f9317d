// Rows conv2d and conv2d_grad_input: products of windows with the weight, which is first put in the windows' order.

#include <algorithm>
#include <limits>

#include "core/base/memory.hpp"
#include "kernels/cuda/conv_library.hpp"
#include "kernels/cuda/conv_windows.hpp"
#include "kernels/cuda/launch.hpp"

namespace lora::kernels::cuda {

namespace {

/// The weight as a convolution reads it: from `channels` of a window to `columns` of the result, for each group.
template <class T>
struct Weight {
  const T* data;
  Index group, channel, column, h, w;  // strides
  Index columns;                       // of one group
};

/// The result, channels-last, and what it starts from: element (n, channel, h, w) of `addend`, or 0 where that is null.
template <class T>
struct Target {
  T* data;
  Index height, width, pixel;
  const T* addend;
  Index batch_stride, channel_stride, h_stride, w_stride;
};

template <class T>
struct Convolution {
  Windows windows;
  const T* source;
  const T* weight;  // [groups, values of a window, columns]
  Index groups, columns;
  Compute<T> scale;
  Target<T> y;
};

template <class T>
__global__ void pack_kernel(Windows windows, Weight<T> weight, Index count, T* packed) {
  const Index e = thread_index();
  if (e < count) {
    const Index column = e % weight.columns, row = e / weight.columns, group = row / windows.values(), value = row % windows.values();
    const Index channel = value % windows.channels, tap = value / windows.channels;
    const Index h = windows.h.first_tap + tap / windows.w.taps * windows.h.tap_step;
    const Index w = windows.w.first_tap + tap % windows.w.taps * windows.w.tap_step;
    packed[e] = weight.data[group * weight.group + channel * weight.channel + column * weight.column + h * weight.h + w * weight.w];
  }
}

template <class T, class Shape>
__global__ void __launch_bounds__(kThreads, 1) conv_kernel(Convolution<T> conv, Index rows, Index columns) {
  const Windows& windows = conv.windows;
  const Target<T>& y = conv.y;
  const Index values = windows.values(), positions = windows.positions();
  for (Index tile = blockIdx.x; tile < conv.groups * rows * columns; tile += gridDim.x) {
    const Index group = tile / columns % conv.groups;
    const WindowsOperand<T> left{conv.source + group * windows.channels, windows, positions};
    const MatrixOperand<T> right{conv.weight + group * values * conv.columns, conv.columns, values, 1, conv.columns};
    const TilePlace place{tile / columns / conv.groups * Shape::kM, tile % columns * Shape::kN, 0, values};
    multiply_tile<Shape>(left, right, place, [&](Index number) {
      const Position at = position_at(windows, number);
      const Index h = windows.h.origin + at.i * windows.h.stride, w = windows.w.origin + at.j * windows.w.stride;
      const Index channel = group * conv.columns;
      T* to = y.data + ((at.n * y.height + h) * y.width + w) * y.pixel + channel;
      const T* add = y.addend + at.n * y.batch_stride + channel * y.channel_stride + h * y.h_stride + w * y.w_stride;
      return [=, &conv](Index column, Compute<T> sum) {
        if (number < positions && column < conv.columns) {
          const auto start = conv.y.addend == nullptr ? Compute<T>(0) : static_cast<Compute<T>>(add[column * conv.y.channel_stride]);
          to[column] = static_cast<T>(start + conv.scale * sum);
        }
      };
    });
  }
}

template <class T, class Shape>
void launch_convolution(const Context& context, Row row, const Convolution<T>& conv) {
  const Index positions = conv.windows.positions();
  const Index rows = (positions + Shape::kM - 1) / Shape::kM, columns = (conv.columns + Shape::kN - 1) / Shape::kN;
  const Index blocks = std::min<Index>(conv.groups * rows * columns, std::numeric_limits<int>::max());
  launch(context, row, {{positions, Shape::kM}, {conv.columns, Shape::kN}, {conv.windows.values(), kTileDepth}},
         {blocks_for(blocks, 1), dim3(kThreads)}, conv_kernel<T, Shape>, conv, rows, columns);
}

template <class T>
void convolve(const Context& context, Row row, Convolution<T> conv, const Weight<T>& weight) {
  if (conv.windows.positions() == 0 || weight.columns == 0) {
    return;
  }
  const Index count = conv.groups * conv.windows.values() * weight.columns;
  const Scratch packed(static_cast<std::size_t>(std::max<Index>(count, 1)) * sizeof(T), context.device);
  launch_each(context, row, count, pack_kernel<T>, conv.windows, weight, count, packed.ptr<T>());
  conv.weight = packed.ptr<T>();
  conv.columns = weight.columns;
  if (conv.columns <= kFewColumns) {
    launch_convolution<T, TallTile>(context, row, conv);
  } else {
    launch_convolution<T, SquareTile>(context, row, conv);
  }
}

}  // namespace

void conv2d(const Context& context, const Conv2dShape& shape, double scale, const ConstView& x, const ConstView& weight,
            const ConstView* addend, const View& y) {
  if (conv2d_by_library(context, {shape, scale}, x, weight, addend, y)) {
    return;
  }
  const Windows windows{forward_taps(shape.h), forward_taps(shape.w), shape.batch, shape.in_channels / shape.groups, shape.in_channels};
  const Index columns = shape.out_channels / shape.groups;
  const Shape& s = weight.strides;
  const Shape a = addend != nullptr ? addend->strides : Shape{0, 0, 0, 0};
  visit_stored(y.dtype, [&]<class T>(Tag<T>) {
    const Weight<T> w{weight.ptr<T>(), columns * s[0], s[1], s[0], s[2], s[3], columns};
    const T* start = addend != nullptr ? addend->ptr<T>() : nullptr;
    const Target<T> to{y.ptr<T>(), shape.h.out, shape.w.out, shape.out_channels, start, a[0], a[1], a[2], a[3]};
    convolve<T>(context, Row::conv2d, {windows, x.ptr<T>(), nullptr, shape.groups, columns, static_cast<Compute<T>>(scale), to}, w);
  });
}

void conv2d_grad_input(const Context& context, const Conv2dShape& shape, double scale, const ConstView& weight, const ConstView& gy,
                       const View& gx) {
  if (grad_input_by_library(context, {shape, scale}, weight, gy, gx)) {
    return;
  }
  const Index channels = shape.out_channels / shape.groups, columns = shape.in_channels / shape.groups;
  const Shape& s = weight.strides;
  visit_stored(gx.dtype, [&]<class T>(Tag<T>) {
    const Weight<T> w{weight.ptr<T>(), channels * s[0], s[0], s[1], s[2], s[3], columns};
    const Target<T> to{gx.ptr<T>(), shape.h.in, shape.w.in, shape.in_channels, nullptr, 0, 0, 0, 0};
    for (Index i = 0; i < std::min(shape.h.stride, shape.h.in); ++i) {
      for (Index j = 0; j < std::min(shape.w.stride, shape.w.in); ++j) {
        const Windows windows{backward_taps(shape.h, i), backward_taps(shape.w, j), shape.batch, channels, shape.out_channels};
        convolve<T>(context, Row::conv2d_grad_input,
                    {windows, gy.ptr<T>(), nullptr, shape.groups, columns, static_cast<Compute<T>>(scale), to}, w);
      }
    }
  });
}

}  // namespace lora::kernels::cuda
