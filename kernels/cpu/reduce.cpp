// Rows sum and argmax. Sums are taken in double, so that a million f32 values lose nothing.

#include <algorithm>

#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kBlock = 64;     // neighbouring sums made together
constexpr Index kMaxParts = 64;  // blocks times parts of a split sum: their partial sums lie on the stack
constexpr Index kLanes = 16;     // independent chains of additions within one sum

/// x as sums to make (`kept`: x, then y) times values to add in each (`reduced`).
struct SumPlan {
  Walk<2> kept;
  Walk<1> reduced;
  bool along_rows = false;  // one sum at a time over contiguous values, else blocks of neighbouring sums
  Index width = 1;          // sums in a block
  Index blocks_in_row = 1, blocks = 0;
  Index parts = 1;  // pieces that each sum is cut into
};

/// By the sizes alone, how many pieces the sums are cut into so that several threads have work.
Index parts_of(const SumPlan& plan) {
  const Index work = plan.kept.numel * plan.reduced.numel;
  if (plan.blocks >= 8 || work <= 2 * kGrain) {
    return 1;
  }
  return std::clamp<Index>(work / (plan.blocks * 2 * kGrain), 1, kMaxParts / plan.blocks);
}

SumPlan plan_sum(const ConstView& x, const View& y) {
  SumPlan plan;
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

/// Sum of n contiguous values.
template <class T>
double sum_contiguous(Index n, const T* x) {
  double lanes[2 * kLanes] = {};
  Index i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    for (Index j = 0; j < 2 * kLanes; ++j) {
      lanes[j] += static_cast<double>(x[i + j]);
    }
  }
  for (Index j = 0; i < n; ++i, ++j) {
    lanes[j] += static_cast<double>(x[i]);
  }
  for (Index half = kLanes; half > 0; half /= 2) {
    for (Index j = 0; j < half; ++j) {
      lanes[j] += lanes[j + half];
    }
  }
  return lanes[0];
}

/// total[j] += x[i * step + j * next] for all i < n; `width` neighbouring sums, kBlock of them unrolled.
template <class T>
void add_columns(Index n, const T* x, Index step, Index width, Index next, double* total) {
  if (width == kBlock && next == 1) {
    double sums[kBlock];
    std::copy_n(total, kBlock, sums);
    for (Index i = 0; i < n; ++i, x += step) {
      for (Index j = 0; j < kBlock; ++j) {
        sums[j] += static_cast<double>(x[j]);
      }
    }
    std::copy_n(sums, kBlock, total);
    return;
  }
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < width; ++j) {
      total[j] += static_cast<double>(x[i * step + j * next]);
    }
  }
}

/// One block of sums over part `part` of their values, into total[0..width-1].
template <class T>
void sum_part(const SumPlan& plan, const T* x, Index width, Index part, double* total) {
  std::fill_n(total, width, 0.0);
  const Index n = plan.reduced.numel, size = (n - 1) / plan.parts + 1;
  const Index begin = std::min(n, part * size), end = std::min(n, begin + size);
  if (begin == end) {
    return;
  }
  const Index step = plan.reduced.inner_stride(0), next = plan.kept.inner_stride(0);
  walk_range(plan.reduced, begin, end, [&](Index count, const Index(&offset)[1]) {
    if (width == 1 && step == 1) {
      *total += sum_contiguous(count, x + offset[0]);
    } else {
      add_columns(count, x + offset[0], step, width, next, total);
    }
  });
}

/// Sums of block `block`: where they start in x and y, and how many they are.
struct Block {
  Index x, y, width;
};

Block block_at(const SumPlan& plan, Index block) {
  const Index inner = plan.kept.inner_size();
  const Index row = block / plan.blocks_in_row, column = block % plan.blocks_in_row * plan.width;
  Block result{0, 0, std::min(plan.width, inner - column)};
  walk_range(plan.kept, row * inner + column, row * inner + column + 1, [&](Index, const Index(&offset)[2]) {
    result.x = offset[0];
    result.y = offset[1];
  });
  return result;
}

template <class T>
void write_block(const SumPlan& plan, const Block& block, const double* total, double scale, T* y) {
  for (Index j = 0; j < block.width; ++j) {
    y[block.y + j * plan.kept.inner_stride(1)] = static_cast<T>(scale * total[j]);
  }
}

/// Every sum by one thread.
template <class T>
void sum_whole(const SumPlan& plan, double scale, const T* x, T* y) {
  const Index grain = std::max<Index>(1, kGrain / std::max<Index>(1, plan.reduced.numel * plan.width));
  parallel_for(plan.blocks, grain, [&](Index begin, Index end) {
    for (Index b = begin; b < end; ++b) {
      const Block block = block_at(plan, b);
      double total[kBlock];
      sum_part(plan, x + block.x, block.width, 0, total);
      write_block(plan, block, total, scale, y);
    }
  });
}

/// Few sums of many values: parts side by side, then added in order.
template <class T>
void sum_in_parts(const SumPlan& plan, double scale, const T* x, T* y) {
  double partial[kMaxParts][kBlock];
  parallel_for(plan.blocks * plan.parts, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Block block = block_at(plan, i / plan.parts);
      sum_part(plan, x + block.x, block.width, i % plan.parts, partial[i]);
    }
  });
  for (Index b = 0; b < plan.blocks; ++b) {
    const Block block = block_at(plan, b);
    double* total = partial[b * plan.parts];
    for (Index part = 1; part < plan.parts; ++part) {
      for (Index j = 0; j < block.width; ++j) {
        total[j] += partial[b * plan.parts + part][j];
      }
    }
    write_block(plan, block, total, scale, y);
  }
}

/// Index of the first largest of n values; NaN counts as largest.
template <class T>
Index first_largest(Index n, const T* x, Index stride) {
  Index best = 0;
  T largest = x[0];
  for (Index i = 1; i < n; ++i) {
    const T value = x[i * stride];
    if (value > largest || (value != value && largest == largest)) {
      largest = value;
      best = i;
    }
  }
  return best;
}

}  // namespace

void sum(const Context&, double scale, const ConstView& x, const View& y) {
  const SumPlan plan = plan_sum(x, y);
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    if (plan.parts == 1) {
      sum_whole(plan, scale, x.ptr<T>(), y.ptr<T>());
    } else {
      sum_in_parts(plan, scale, x.ptr<T>(), y.ptr<T>());
    }
  });
}

void argmax(const Context&, const ConstView& x, const View& y) {
  const Index n = x.shape[0], m = x.shape[1], row = x.strides[0], column = x.strides[1], out = y.strides[0];
  visit_real(x.dtype, [&]<class T>(Tag<T>) {
    const T* from = x.ptr<T>();
    Index* to = y.ptr<Index>();
    parallel_for(n, std::max<Index>(1, kGrain / std::max<Index>(1, m)), [=](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        to[i * out] = first_largest(m, from + i * row, column);
      }
    });
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
