// Row arg_reduce.

#include "kernels/cuda/lines.hpp"

namespace lora::kernels::cuda {
namespace {

/// A value and its place; before any value, place -1.
template <class C>
struct Candidate {
  C value;
  Index place;
};

template <class C>
__device__ Candidate<C> shuffle_xor(const Candidate<C>& mine, int distance) {
  return {__shfl_xor_sync(kFullMask, mine.value, distance), __shfl_xor_sync(kFullMask, mine.place, distance)};
}

/// The one that wins: a NaN, else the larger (or smaller) value, the first of equals.
struct Winner {
  bool smallest;

  template <class C>
  __device__ bool wins(const Candidate<C>& a, const Candidate<C>& b) const {
    const bool nan = a.value != a.value, other_nan = b.value != b.value;
    if (b.place < 0 || a.place < 0) {
      return b.place < 0;
    }
    if (nan || other_nan || a.value == b.value) {
      return nan == other_nan ? a.place < b.place : nan;
    }
    return smallest ? a.value < b.value : a.value > b.value;
  }

  template <class C>
  __device__ Candidate<C> operator()(const Candidate<C>& a, const Candidate<C>& b) const {
    return wins(b, a) ? b : a;
  }
};

template <class T>
__global__ void arg_reduce_kernel(Lines<2> lines, Winner winner, const T* x, Index* y) {
  using C = Compute<T>;
  const Line<2> line(lines);
  if (!line.exists) {
    return;
  }
  Candidate<C> best{C(0), -1};
  for (Index i = line.rank(); i < lines.teams.length; i += line.size) {
    best = winner(best, Candidate<C>{static_cast<C>(x[line.at[0] + i * lines.step[0]]), i});
  }
  best = line.reduce(best, Candidate<C>{C(0), -1}, winner);
  if (line.rank() == 0) {
    y[line.at[1]] = best.place;
  }
}

}  // namespace

void arg_reduce(const Context& context, ReduceOp op, const ConstView& x, const View& y) {
  const Lines<2> lines = make_lines<2>(x.shape, 1, {&x.strides, &y.strides});
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    launch_teams(context, Row::arg_reduce, lines.teams, arg_reduce_kernel<T>, lines, Winner{op == ReduceOp::min}, x.ptr<T>(),
                 y.ptr<Index>());
  });
}

}  // namespace lora::kernels::cuda
