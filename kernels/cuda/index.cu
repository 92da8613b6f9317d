// Rows gather and scatter_add: elements picked by an index along one axis, and added back.

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/convert.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/layout.hpp"
#include "kernels/cuda/lines.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {
namespace {

Shape without_stride(Shape strides, int dim) {
  strides[dim] = 0;
  return strides;
}

/// Moves bits: T is an unsigned integer as wide as an element. `at` places y, x (of the first place on the axis) and the index; `along` is
/// x's stride on the axis.
template <class T>
__global__ void gather_kernel(Layout<3> at, Index along, const T* x, const Index* index, T* y) {
  const Index i = thread_index();
  if (i < at.numel) {
    Index offset[3];
    at.locate(i, offset);
    y[offset[0]] = x[offset[1] + index[offset[2]] * along];
  }
}

/// Lines along the axis of the index are independent of each other, and so are ranges of y's places on a line. A thread has one range of
/// one line: it goes through the line's index in order and leaves out what belongs to others. Neighbouring threads have neighbouring lines.
struct Scatter {
  Lines<3> lines;  // y, x, index; as long as x
  Index places;    // elements of y on a line
  Index ranges;
};

template <class T>
__global__ void scatter_add_kernel(Scatter s, const Index* index, const T* x, T* y) {
  const Layout<3>& lines = s.lines.kept;
  const Index number = thread_index(), range = number / lines.numel;
  if (range < s.ranges) {
    Index at[3];
    lines.locate(number % lines.numel, at);
    const Index low = s.places * range / s.ranges, high = s.places * (range + 1) / s.ranges;
    for (Index i = 0; i < s.lines.teams.length; ++i) {
      const Index place = index[at[2] + i * s.lines.step[2]];
      if (place >= low && place < high) {
        T& sum = y[at[0] + place * s.lines.step[0]];
        sum = static_cast<T>(widened(sum) + widened(x[at[1] + i * s.lines.step[1]]));
      }
    }
  }
}

/// Ranges for enough threads, as far as a thread then still has something to add.
Index ranges_of(Index lines, Index length, Index places) {
  constexpr Index kThreadsWanted = 8192, kWorth = 8;
  return std::max<Index>(1, std::min({kThreadsWanted / std::max<Index>(1, lines), length / kWorth, places}));
}

}  // namespace

void gather(const Context& context, int dim, const ConstView& x, const ConstView& index, const View& y) {
  const Shape others = without_stride(x.strides, dim);
  const Layout<3> at = make_layout<3>(y.shape, {&y.strides, &others, &index.strides});
  visit_bits(itemsize(y.dtype), [&]<class T>(Tag<T>) {
    launch_each(context, Row::gather, at.numel, gather_kernel<T>, at, x.strides[dim], x.ptr<T>(), index.ptr<Index>(), y.ptr<T>());
  });
}

void scatter_add(const Context& context, int dim, const ConstView& index, const ConstView& x, const View& y) {
  const Lines<3> lines = make_lines<3>(x.shape, dim, {&y.strides, &x.strides, &index.strides});
  const Index places = y.shape[dim], ranges = ranges_of(lines.kept.numel, x.shape[dim], places);
  const Index threads = x.numel() > 0 ? lines.kept.numel * ranges : 0;
  visit_stored(y.dtype, [&]<class T>(Tag<T>) {
    launch_each(context, Row::scatter_add, threads, scatter_add_kernel<T>, Scatter{lines, places, ranges}, index.ptr<Index>(), x.ptr<T>(),
                y.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
