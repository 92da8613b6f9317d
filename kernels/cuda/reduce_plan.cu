#include "kernels/cuda/reduce_plan.hpp"

#include <algorithm>
#include <cstddef>

namespace lora::kernels::cuda {

namespace {

constexpr Index kManyThreads = 1 << 16;  // enough for a device that is waiting for memory
constexpr Index kManyBlocks = 1 << 10;
constexpr Index kThreadValues = 64;   // what one thread takes at least before its result is cut
constexpr Index kBlockValues = 4096;  // the same for a block
constexpr Index kMaxParts = 1 << 10;

template <std::size_t N>
Index inner_stride(const Layout<N>& layout) {
  return layout.ndim > 0 ? layout.stride[0][layout.ndim - 1] : 0;
}

void cut(ReducePlan& plan, Index parts, unsigned team) {
  plan.parts = std::clamp<Index>(parts, 1, kMaxParts);
  plan.part = (plan.reduced.numel + plan.parts - 1) / plan.parts;
  plan.teams = {plan.kept.numel * plan.parts, plan.part, team};
}

/// Threads beside each other make results that lie so, or take values of one result that lie so.
void cut_by_layout(ReducePlan& plan) {
  const Index results = std::max<Index>(1, plan.kept.numel), n = plan.reduced.numel;
  if (n <= kShort || (results > 1 && inner_stride(plan.kept) < inner_stride(plan.reduced))) {
    cut(plan, std::min(kManyThreads / results, n / kThreadValues), 1);
  } else if (n <= kWarpValues) {
    cut(plan, 1, kWarpTeam);
  } else {
    cut(plan, std::min(kManyBlocks / results, n / kBlockValues), kBlockTeam);
  }
}

}  // namespace

ReducePlan plan_reduction(const ConstView& x, const Shape& result, const Shape& strides) {
  Shape kept, from, to, reduced, steps;
  for (int i = 0; i < x.shape.ndim(); ++i) {
    if (result[i] == 1) {
      reduced.push_back(x.shape[i]);
      steps.push_back(x.strides[i]);
    } else {
      kept.push_back(x.shape[i]);
      from.push_back(x.strides[i]);
      to.push_back(strides[i]);
    }
  }
  ReducePlan plan;
  plan.kept = make_layout<2>(kept, {&from, &to});
  plan.reduced = make_layout<1>(reduced, {&steps});
  cut_by_layout(plan);
  return plan;
}

ReducePlan plan_join(const ReducePlan& first) {
  ReducePlan plan;
  plan.kept = first.kept;
  Index step = 1;
  for (int d = plan.kept.ndim - 1; d >= 0; --d) {
    plan.kept.stride[0][d] = step;
    step *= plan.kept.size[d];
  }
  plan.reduced.numel = first.parts;
  plan.reduced.ndim = 1;
  plan.reduced.size[0] = first.parts;
  plan.reduced.stride[0][0] = first.kept.numel;
  cut(plan, 1, first.parts <= kShort ? 1 : kWarpTeam);
  return plan;
}

}  // namespace lora::kernels::cuda
