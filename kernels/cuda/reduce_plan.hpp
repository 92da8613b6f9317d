#pragma once
// How a reduction is cut into results, and where they are few into parts of them.

#include "kernels/cuda/layout.hpp"
#include "kernels/cuda/team.hpp"

namespace lora::kernels::cuda {

/// Results to make (`kept`: x, then y) times values that each is made of (`reduced`), in `parts` of `part` values.
struct ReducePlan {
  Layout<2> kept;
  Layout<1> reduced;
  Index parts = 1, part = 0;
  Teams teams;  // for each part of each result, all first parts first
};

/// For the axes of x where the result has size 1; by the sizes and strides alone.
ReducePlan plan_reduction(const ConstView& x, const Shape& result, const Shape& strides);

/// The reduction of the partial results of `first`, which lie in the order of its teams.
ReducePlan plan_join(const ReducePlan& first);

}  // namespace lora::kernels::cuda
