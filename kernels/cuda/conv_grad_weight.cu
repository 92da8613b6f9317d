// Row conv2d_grad_weight: gy^T times the windows, in parts of the positions whose sums are added in their order.

#include <algorithm>
#include <limits>

#include "core/base/memory.hpp"
#include "kernels/cuda/conv_library.hpp"
#include "kernels/cuda/conv_windows.hpp"
#include "kernels/cuda/launch.hpp"

namespace lora::kernels::cuda {

namespace {

constexpr Index kBlocksWanted = 256;    // by parts, where there are few tiles
constexpr Index kPositionsWorth = 256;  // of a part, at the least

/// How the work is cut: parts of the positions, each with sums of its own, times groups times tiles of outputs by values.
struct Cut {
  Index parts, positions;  // of one part
  Index groups, outputs;   // of one group
  Index rows, columns;     // of tiles

  __host__ __device__ Index tiles() const { return parts * groups * rows * columns; }
};

/// The operands: x is read through `windows`, gy has `pixel` values for a position.
template <class T>
struct Operands {
  Windows windows;
  const T* x;
  const T* gy;
  Index pixel;
};

/// The larger side of a tile takes the values of the windows where there are few outputs.
template <class Shape>
inline constexpr bool kValuesFirst = Shape::kM > Shape::kN;

/// sums [parts, groups, outputs, values of a window]
template <class T, class Shape>
__global__ void __launch_bounds__(kThreads, kResidentBlocks<T>) grad_weight_kernel(Operands<T> in, Cut cut, Compute<T>* sums) {
  const Index values = in.windows.values();
  for (Index tile = blockIdx.x; tile < cut.tiles(); tile += gridDim.x) {
    const Index group = tile / cut.columns / cut.rows % cut.groups, part = tile / cut.columns / cut.rows / cut.groups;
    const Index begin = part * cut.positions, end = min(begin + cut.positions, in.windows.positions());
    const MatrixOperand<T> outputs{in.gy + group * cut.outputs, cut.outputs, end, 1, in.pixel};
    const Transposed<WindowsOperand<T>> windows{{in.x + group * in.windows.channels, in.windows, end}};
    const TilePlace place{tile / cut.columns % cut.rows * Shape::kM, tile % cut.columns * Shape::kN, begin, end};
    Compute<T>* to = sums + (part * cut.groups + group) * cut.outputs * values;
    const auto store = [=, &cut](Index i) {
      return [=, &cut](Index j, Compute<T> sum) {
        const Index output = kValuesFirst<Shape> ? j : i, value = kValuesFirst<Shape> ? i : j;
        if (output < cut.outputs && value < values) {
          to[output * values + value] = sum;
        }
      };
    };
    if constexpr (kValuesFirst<Shape>) {
      multiply_tile<Shape>(windows, outputs, place, store);
    } else {
      multiply_tile<Shape>(outputs, windows, place, store);
    }
  }
}

/// gw[output, channel, tap] = scale * the sum over parts, in their order, of sums[part, output, tap, channel].
template <class T>
__global__ void add_parts_kernel(Windows windows, Index parts, Index count, Compute<T> scale, const Compute<T>* sums, T* gw) {
  const Index e = thread_index();
  if (e < count) {
    const Index taps = windows.h.taps * windows.w.taps, tap = e % taps, channel = e / taps % windows.channels;
    const Compute<T>* from = sums + (e / taps / windows.channels * taps + tap) * windows.channels + channel;
    Compute<T> total = 0;
    for (Index part = 0; part < parts; ++part) {
      total += from[part * count];
    }
    gw[e] = static_cast<T>(scale * total);
  }
}

template <class Shape>
Cut cut_work(const Windows& windows, Index groups, Index outputs) {
  const Index values = windows.values(), m = kValuesFirst<Shape> ? values : outputs, n = kValuesFirst<Shape> ? outputs : values;
  Cut cut{1, 0, groups, outputs, (m + Shape::kM - 1) / Shape::kM, (n + Shape::kN - 1) / Shape::kN};
  const Index most = windows.positions() / kPositionsWorth, wanted = (kBlocksWanted + cut.tiles() - 1) / cut.tiles();
  cut.parts = std::max<Index>(1, std::min(most, wanted));
  cut.positions = (windows.positions() + cut.parts - 1) / cut.parts;
  return cut;
}

template <class T, class Shape>
void sum_products(const Context& context, const Operands<T>& in, Index groups, double scale, const View& gw) {
  const Cut cut = cut_work<Shape>(in.windows, groups, in.pixel / groups);
  const Index count = gw.numel(), values = in.windows.values();
  const Scratch memory(static_cast<std::size_t>(cut.parts * count) * sizeof(Compute<T>), context.device);
  auto* const sums = memory.ptr<Compute<T>>();
  const Index m = kValuesFirst<Shape> ? values : cut.outputs, n = kValuesFirst<Shape> ? cut.outputs : values;
  const Index blocks = std::min<Index>(cut.tiles(), std::numeric_limits<int>::max());
  launch(context, Row::conv2d_grad_weight, {{m, Shape::kM}, {n, Shape::kN}, {cut.positions, kTileDepth}},
         {blocks_for(blocks, 1), dim3(kThreads)}, grad_weight_kernel<T, Shape>, in, cut, sums);
  launch_each(context, Row::conv2d_grad_weight, count, add_parts_kernel<T>, in.windows, cut.parts, count, static_cast<Compute<T>>(scale),
              sums, gw.ptr<T>());
}

}  // namespace

void conv2d_grad_weight(const Context& context, const Conv2dShape& shape, double scale, const ConstView& x, const ConstView& gy,
                        const View& gw) {
  if (gw.numel() == 0 || grad_weight_by_library(context, {shape, scale}, x, gy, gw)) {
    return;
  }
  const Windows windows{forward_taps(shape.h), forward_taps(shape.w), shape.batch, shape.in_channels / shape.groups, shape.in_channels};
  visit_stored(gw.dtype, [&]<class T>(Tag<T>) {
    const Operands<T> in{windows, x.ptr<T>(), gy.ptr<T>(), shape.out_channels};
    if (shape.out_channels / shape.groups <= kFewColumns) {
      sum_products<T, TallTile>(context, in, shape.groups, scale, gw);
    } else {
      sum_products<T, SquareTile>(context, in, shape.groups, scale, gw);
    }
  });
}

}  // namespace lora::kernels::cuda
