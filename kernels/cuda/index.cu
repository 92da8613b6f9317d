// Rows gather and scatter_add: elements picked by an index along one axis, and added back.

#include <algorithm>
#include <cstdint>

#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/layout.hpp"
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

/// Calls f(Tag<T>{}) with the unsigned integer of a size.
template <class F>
void visit_bits(std::size_t bytes, const F& f) {
  switch (bytes) {
    case 1: return f(Tag<std::uint8_t>{});
    case 2: return f(Tag<std::uint16_t>{});
    case 4: return f(Tag<std::uint32_t>{});
    default: return f(Tag<std::uint64_t>{});
  }
}

/// Lines along the axis of the index are independent of each other, and so are ranges of y's places on a line. A thread has one range of
/// one line: it goes through the line's index in order and leaves out what belongs to others. Neighbouring threads have neighbouring lines.
struct Scatter {
  Layout<3> lines;    // y, x, index
  Index y, x, index;  // strides along a line
  Index length = 0;   // elements of x on a line
  Index places = 0;   // elements of y on a line
  Index ranges = 1;
};

template <class T>
__global__ void scatter_add_kernel(Scatter s, const Index* index, const T* x, T* y) {
  const Index number = thread_index(), range = number / s.lines.numel;
  if (range < s.ranges) {
    Index offset[3];
    s.lines.locate(number % s.lines.numel, offset);
    const Index low = s.places * range / s.ranges, high = s.places * (range + 1) / s.ranges;
    for (Index i = 0; i < s.length; ++i) {
      const Index place = index[offset[2] + i * s.index];
      if (place >= low && place < high) {
        T& sum = y[offset[0] + place * s.y];
        sum = static_cast<T>(static_cast<Compute<T>>(sum) + static_cast<Compute<T>>(x[offset[1] + i * s.x]));
      }
    }
  }
}

Shape without_axis(const Shape& shape, int dim) {
  Shape kept;
  for (int i = 0; i < shape.ndim(); ++i) {
    if (i != dim) {
      kept.push_back(shape[i]);
    }
  }
  return kept;
}

/// Ranges for enough threads, as far as a thread then still has something to add.
Index ranges_of(Index lines, Index length, Index places) {
  constexpr Index kThreadsWanted = 8192, kWorth = 8;
  return std::max<Index>(1, std::min({kThreadsWanted / std::max<Index>(1, lines), length / kWorth, places}));
}

Scatter plan_scatter(int dim, const ConstView& index, const ConstView& x, const View& y) {
  const Shape ys = without_axis(y.strides, dim), xs = without_axis(x.strides, dim), indices = without_axis(index.strides, dim);
  Scatter s{make_layout<3>(without_axis(x.shape, dim), {&ys, &xs, &indices}), y.strides[dim], x.strides[dim], index.strides[dim]};
  s.length = x.shape[dim];
  s.places = y.shape[dim];
  s.ranges = ranges_of(s.lines.numel, s.length, s.places);
  return s;
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
  if (x.numel() > 0) {
    const Scatter s = plan_scatter(dim, index, x, y);
    visit_stored(y.dtype, [&]<class T>(Tag<T>) {
      launch_each(context, Row::scatter_add, s.lines.numel * s.ranges, scatter_add_kernel<T>, s, index.ptr<Index>(), x.ptr<T>(),
                  y.ptr<T>());
    });
  }
}

}  // namespace lora::kernels::cuda
