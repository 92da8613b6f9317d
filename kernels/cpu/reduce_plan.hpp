#pragma once
// How reductions are cut into blocks and pieces, and the loops over them. What is reduced, and to what, is a Step.

#include <algorithm>

#include "core/base/view.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {

inline constexpr Index kBlock = 64;     // neighbouring results made together
inline constexpr Index kMaxParts = 64;  // blocks times parts of a split reduction: their partial results lie on the stack
inline constexpr Index kLanes = 16;     // independent chains of operations within one result

/// x as results to make (`kept`: x, then y) times values that each is made of (`reduced`).
struct ReducePlan {
  Walk<2> kept;
  Walk<1> reduced;
  bool along_rows = false;  // one result at a time of contiguous values, else blocks of neighbouring results
  Index width = 1;          // results in a block
  Index blocks_in_row = 1, blocks = 0;
  Index parts = 1;  // pieces that the values of each result are cut into
};

/// By the sizes alone, how many pieces the results are cut into so that several threads have work.
inline Index parts_of(const ReducePlan& plan) {
  const Index work = plan.kept.numel * plan.reduced.numel;
  if (plan.blocks >= 8 || work <= 2 * kGrain) {
    return 1;
  }
  return std::clamp<Index>(work / (plan.blocks * 2 * kGrain), 1, kMaxParts / plan.blocks);
}

/// For the axes of x where y has size 1.
inline ReducePlan plan_reduction(const ConstView& x, const View& y) {
  ReducePlan plan;
  for (int i = 0; i < x.shape.ndim(); ++i) {
    if (y.shape[i] == 1) {
      plan.reduced.add(x.shape[i], {x.strides[i]});
    } else {
      plan.kept.add(x.shape[i], {x.strides[i], y.strides[i]});
    }
  }
  plan.kept.finish();
  plan.reduced.finish();
  plan.along_rows = plan.kept.numel == 1 || (plan.reduced.inner_stride(0) == 1 && plan.reduced.inner_size() >= kLanes);
  if (plan.kept.numel > 0) {
    plan.width = plan.along_rows ? 1 : kBlock;
    plan.blocks_in_row = (plan.kept.inner_size() - 1) / plan.width + 1;
    plan.blocks = plan.kept.numel / plan.kept.inner_size() * plan.blocks_in_row;
    plan.parts = parts_of(plan);
  }
  return plan;
}

/// Neighbouring results: where they start in x and y, and how many they are.
struct Block {
  Index number, x, y, width;
};

inline Block block_at(const ReducePlan& plan, Index number) {
  const Index inner = plan.kept.inner_size();
  const Index row = number / plan.blocks_in_row, column = number % plan.blocks_in_row * plan.width;
  Block block{number, 0, 0, std::min(plan.width, inner - column)};
  walk_range(plan.kept, row * inner + column, row * inner + column + 1, [&](Index, const Index(&offset)[2]) {
    block.x = offset[0];
    block.y = offset[1];
  });
  return block;
}

// A Step has
//   Acc<T>, kStart              what a partial result of values T is, and its first value
//   put(acc, x, center)         acc with one value more; join(a, b): two partial results in one
//   Center<T>, kCentered        whether put looks at `center`, a value that each result has
template <class Step, class T>
using Acc = typename Step::template Acc<T>;
template <class Step, class T>
using Center = typename Step::template Center<T>;

/// Adds n contiguous values to one result.
template <class Step, class T>
Acc<Step, T> put_contiguous(Index n, const T* x, Acc<Step, T> total, Center<Step, T> center) {
  Acc<Step, T> lanes[2 * kLanes];
  std::fill_n(lanes, 2 * kLanes, static_cast<Acc<Step, T>>(Step::kStart));
  Index i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    for (Index j = 0; j < 2 * kLanes; ++j) {
      lanes[j] = Step::put(lanes[j], x[i + j], center);
    }
  }
  for (Index j = 0; i < n; ++i, ++j) {
    lanes[j] = Step::put(lanes[j], x[i], center);
  }
  for (Index half = kLanes; half > 0; half /= 2) {
    for (Index j = 0; j < half; ++j) {
      lanes[j] = Step::join(lanes[j], lanes[j + half]);
    }
  }
  return Step::join(total, lanes[0]);
}

/// Adds x[i * step + j * next] for all i < n to total[j]; `width` neighbouring results, kBlock of them unrolled.
template <class Step, class T>
void put_columns(Index n, const T* x, Index step, Index width, Index next, const Center<Step, T>* center, Acc<Step, T>* total) {
  const auto center_of = [center](Index j) { return Step::kCentered ? center[j] : Center<Step, T>(0); };
  if (width == kBlock && next == 1) {
    Acc<Step, T> totals[kBlock];
    std::copy_n(total, kBlock, totals);
    for (Index i = 0; i < n; ++i, x += step) {
      for (Index j = 0; j < kBlock; ++j) {
        totals[j] = Step::put(totals[j], x[j], center_of(j));
      }
    }
    std::copy_n(totals, kBlock, total);
    return;
  }
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < width; ++j) {
      total[j] = Step::put(total[j], x[i * step + j * next], center_of(j));
    }
  }
}

/// One block of results from part `part` of their values, into total[0..width-1].
template <class Step, class T>
void reduce_part(const ReducePlan& plan, const T* x, Index width, Index part, const Center<Step, T>* center, Acc<Step, T>* total) {
  std::fill_n(total, width, static_cast<Acc<Step, T>>(Step::kStart));
  const Index n = plan.reduced.numel, size = (n - 1) / plan.parts + 1;
  const Index begin = std::min(n, part * size), end = std::min(n, begin + size);
  if (begin == end) {
    return;
  }
  const Index step = plan.reduced.inner_stride(0), next = plan.kept.inner_stride(0);
  walk_range(plan.reduced, begin, end, [&](Index count, const Index(&offset)[1]) {
    if (width == 1 && step == 1) {
      *total = put_contiguous<Step>(count, x + offset[0], *total, Step::kCentered ? *center : Center<Step, T>(0));
    } else {
      put_columns<Step>(count, x + offset[0], step, width, next, center, total);
    }
  });
}

/// Every result by one thread.
template <class Step, class T, class Prepare, class Write>
void reduce_whole(const ReducePlan& plan, const T* x, const Prepare& prepare, const Write& write) {
  const Index grain = std::max<Index>(1, kGrain / std::max<Index>(1, plan.reduced.numel * plan.width));
  parallel_for(plan.blocks, grain, [&](Index begin, Index end) {
    for (Index b = begin; b < end; ++b) {
      const Block block = block_at(plan, b);
      Center<Step, T> center[kBlock];
      Acc<Step, T> total[kBlock];
      prepare(block, center);
      reduce_part<Step>(plan, x + block.x, block.width, 0, center, total);
      write(block, center, total);
    }
  });
}

/// Few results of many values: parts side by side, then joined in order.
template <class Step, class T, class Prepare, class Write>
void reduce_in_parts(const ReducePlan& plan, const T* x, const Prepare& prepare, const Write& write) {
  Acc<Step, T> partial[kMaxParts][kBlock];
  parallel_for(plan.blocks * plan.parts, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Block block = block_at(plan, i / plan.parts);
      Center<Step, T> center[kBlock];
      prepare(block, center);
      reduce_part<Step>(plan, x + block.x, block.width, i % plan.parts, center, partial[i]);
    }
  });
  for (Index b = 0; b < plan.blocks; ++b) {
    const Block block = block_at(plan, b);
    Acc<Step, T>* total = partial[b * plan.parts];
    for (Index part = 1; part < plan.parts; ++part) {
      for (Index j = 0; j < block.width; ++j) {
        total[j] = Step::join(total[j], partial[b * plan.parts + part][j]);
      }
    }
    Center<Step, T> center[kBlock];
    prepare(block, center);
    write(block, center, total);
  }
}

/// All results. prepare(block, center) sets the centers of a block, write(block, center, total) takes its results.
template <class Step, class T, class Prepare, class Write>
void reduce_all(const ReducePlan& plan, const T* x, const Prepare& prepare, const Write& write) {
  if (plan.parts == 1) {
    reduce_whole<Step>(plan, x, prepare, write);
  } else {
    reduce_in_parts<Step>(plan, x, prepare, write);
  }
}

/// Two passes over the values: First without centers, and Second with to_center(result of First).
template <class First, class Second, class T, class ToCenter, class Write>
void reduce_twice(const ReducePlan& plan, const T* x, const ToCenter& to_center, const Write& write) {
  if (plan.parts == 1) {  // block by block, so that the second pass finds the values in the cache
    const auto prepare = [&](const Block& block, Center<Second, T>* center) {
      Acc<First, T> total[kBlock];
      reduce_part<First, T>(plan, x + block.x, block.width, 0, nullptr, total);
      std::transform(total, total + block.width, center, to_center);
    };
    return reduce_whole<Second>(plan, x, prepare, write);
  }
  Center<Second, T> centers[kMaxParts][kBlock];
  reduce_in_parts<First>(
      plan, x, [](const Block&, const Center<First, T>*) {},
      [&](const Block& block, const Center<First, T>*, const Acc<First, T>* total) {
        std::transform(total, total + block.width, centers[block.number], to_center);
      });
  reduce_in_parts<Second>(
      plan, x, [&](const Block& block, Center<Second, T>* center) { std::copy_n(centers[block.number], block.width, center); }, write);
}

}  // namespace lora::kernels::LORA_CPU_ISA
