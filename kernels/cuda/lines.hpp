#pragma once
// Kernels that work along one axis: lines of values along it, in any strides, each made by a team.

#include <cmath>
#include <cstddef>
#include <limits>

#include "kernels/cuda/layout.hpp"
#include "kernels/cuda/team.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {

/// N arrays of one shape as lines of values that are `step` apart.
template <std::size_t N>
struct Lines {
  Layout<N> kept;
  Teams teams;
  Index step[N];
};

/// Neighbouring lines are side by side in memory for neighbouring threads, if they are enough to keep the device busy.
inline unsigned line_team(Index lines, Index n, Index step, Index next) {
  constexpr Index kManyLines = 2048;
  if (n <= kShort || (next < step && lines >= kManyLines)) {
    return 1;
  }
  return n <= kWarpValues ? kWarpTeam : kBlockTeam;
}

/// Lines along `axis`. An array may lack the axis if it is the last.
template <std::size_t N>
Lines<N> make_lines(const Shape& shape, int axis, const Shape* const (&strides)[N]) {
  Lines<N> lines;
  Shape kept, kept_strides[N];
  const Shape* arrays[N];
  for (std::size_t k = 0; k < N; ++k) {
    lines.step[k] = axis < strides[k]->ndim() ? (*strides[k])[axis] : 0;
    arrays[k] = &kept_strides[k];
    for (int i = 0; i < shape.ndim(); ++i) {
      if (i != axis) {
        kept_strides[k].push_back((*strides[k])[i]);
      }
    }
  }
  for (int i = 0; i < shape.ndim(); ++i) {
    if (i != axis) {
      kept.push_back(shape[i]);
    }
  }
  lines.kept = make_layout<N>(kept, arrays);
  const Index next = lines.kept.ndim > 0 ? lines.kept.stride[0][lines.kept.ndim - 1] : lines.step[0];
  lines.teams = {lines.kept.numel, shape[axis], line_team(lines.kept.numel, shape[axis], lines.step[0], next)};
  return lines;
}

/// A team and its line, if there is one for it: where the first value lies in each array.
template <std::size_t N>
struct Line : Team {
  bool exists;
  Index at[N] = {};

  __device__ explicit Line(const Lines<N>& lines) : Team{lines.teams.size}, exists(number() < lines.teams.count) {
    if (exists) {
      lines.kept.locate(number(), at);
    }
  }
};

struct LargerNumber {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return b > a ? b : a;
  }
};

/// The largest value(i) that is not NaN, of i in 0..n-1; -inf of none.
template <class F>
__device__ inline auto largest_of(const Team& team, Index n, const F& value) {
  using T = decltype(value(n));
  constexpr T kLowest = -std::numeric_limits<T>::infinity();
  T largest = kLowest;
  for (Index i = team.rank(); i < n; i += team.size) {
    largest = LargerNumber{}(largest, value(i));
  }
  return team.reduce(largest, kLowest, LargerNumber{});
}

/// term(0) + .. + term(n-1) in double.
template <class F>
__device__ inline double sum_of(const Team& team, Index n, const F& term) {
  double total = 0.0;
  for (Index i = team.rank(); i < n; i += team.size) {
    total += static_cast<double>(term(i));
  }
  return team.reduce(total, 0.0, Plus{});
}

}  // namespace lora::kernels::cuda
