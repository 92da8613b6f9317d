// Row conv2d_grad_weight: gy^T times the gathered windows, in parts of the batch whose sums are added in their order.

#include <algorithm>

#include "core/base/memory.hpp"
#include "core/base/threads.hpp"
#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/gather.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/panels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kTasks = 8;  // wanted, as far as the sizes allow
constexpr Index kMaxParts = 16;
constexpr Index kPartBytes = Index{4} << 20;   // of all parts' sums together
constexpr Index kBlockBytes = Index{1} << 20;  // of the sums that one task adds to

Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

/// How the work is cut: parts of the positions, each with sums of its own, times groups times blocks of outputs.
struct Cut {
  Index rows, pieces, parts, groups;
  Index outputs, block, blocks;  // of one group
  Index columns;                 // of the sums: the windows' values, up to whole vectors
  Index tasks() const { return parts * groups * blocks; }
  Index sums() const { return groups * outputs * columns; }
};

Cut cut_work(const Gather& g, Index groups, Index outputs, Index vector, Index item) {
  Cut cut{};
  cut.groups = groups;
  cut.outputs = outputs;
  cut.columns = ceil_div(g.values(), vector) * vector;
  cut.rows = rows_at_a_time(g, outputs, static_cast<std::size_t>(item));
  cut.pieces = ceil_div(g.positions(), cut.rows);
  cut.parts = std::clamp<Index>(kPartBytes / (cut.sums() * item), 1, std::clamp<Index>(cut.pieces, 1, kMaxParts));
  const Index for_cache = ceil_div(outputs * cut.columns * item, kBlockBytes), for_threads = ceil_div(kTasks, cut.parts * groups);
  cut.block = ceil_div(
      outputs, std::clamp<Index>(std::max(for_cache, for_threads), 1, ceil_div(outputs, static_cast<Index>(2 * kBlockRows<float>))));
  cut.blocks = ceil_div(outputs, cut.block);
  return cut;
}

/// The operands: x is read through `gather`, gy has `pixel` values for a position.
template <class T>
struct Operands {
  Gather gather;
  const T* x;
  const T* gy;
  Index pixel;
};

/// Sums of one part, group and block of outputs.
template <class T>
void sum_task(const Operands<T>& in, const Cut& cut, Index task, T* sums) {
  const Gather& g = in.gather;
  const Index begin = task % cut.blocks * cut.block, end = std::min(cut.outputs, begin + cut.block);
  const Index group = task / cut.blocks % cut.groups, part = task / cut.blocks / cut.groups;
  const ResultRows<T> to{sums + part * cut.sums() + (group * cut.outputs + begin) * cut.columns, cut.columns};
  zero_run((end - begin) * cut.columns, to.data);
  const bool as_it_lies = g.is_source() && g.channels == cut.columns;
  const Scratch windows(as_it_lies ? 1 : static_cast<std::size_t>(cut.rows * cut.columns) * sizeof(T));
  if (!as_it_lies) {
    zero_run(cut.rows * cut.columns, windows.ptr<T>());  // columns beyond the windows stay so
  }
  for (Index piece = part; piece < cut.pieces; piece += cut.parts) {
    const Index first = piece * cut.rows, rows = std::min(cut.rows, g.positions() - first);
    const T* source = in.x + group * g.channels;
    Panels<T> right{source + first * g.pixel, kPanel<T>, g.pixel};
    if (!as_it_lies) {
      gather_rows(g, source, first, rows, windows.ptr<T>(), cut.columns);
      right = {windows.ptr<T>(), kPanel<T>, cut.columns};
    }
    const LeftRows<T> left{in.gy + first * in.pixel + group * cut.outputs + begin, 1, in.pixel};
    multiply(end - begin, cut.columns, rows, left, right, to);
  }
}

/// gw[o, c, tap] = scale * the sum over parts, in their order, of sums[o, tap, c].
template <class T>
void write_output(const Gather& g, const Cut& cut, T scale, Index output, T* sums, T* to) {
  T* total = sums + output * cut.columns;
  for (Index part = 1; part < cut.parts; ++part) {
    const T* other = total + part * cut.sums();
    each(cut.columns, [=](Index i) { total[i] += other[i]; });
  }
  const Index taps = g.h.taps * g.w.taps;
  for (Index c = 0; c < g.channels; ++c) {
    for (Index t = 0; t < taps; ++t) {
      to[c * taps + t] = scale * total[t * g.channels + c];
    }
  }
}

template <class T>
void sum_products(const Operands<T>& in, const Cut& cut, T scale, T* gw) {
  const Scratch memory(static_cast<std::size_t>(cut.parts * cut.sums()) * sizeof(T));
  T* sums = memory.ptr<T>();
  parallel_for(cut.tasks(), 1, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      sum_task(in, cut, task, sums);
    }
  });
  const Index work = cut.columns * cut.parts;
  parallel_for(cut.groups * cut.outputs, std::max<Index>(1, kGrain / work), [&](Index begin, Index end) {
    for (Index output = begin; output < end; ++output) {
      write_output(in.gather, cut, scale, output, sums, gw + output * in.gather.values());
    }
  });
}

}  // namespace

void conv2d_grad_weight(const Context&, const Conv2dShape& shape, double scale, const ConstView& x, const ConstView& gy, const View& gw) {
  if (gw.numel() == 0) {
    return;
  }
  const Gather g{forward_taps(shape.h), forward_taps(shape.w), shape.batch, shape.in_channels / shape.groups, shape.in_channels};
  visit_real(gw.dtype, [&]<class T>(Tag<T>) {
    const Cut cut = cut_work(g, shape.groups, shape.out_channels / shape.groups, kVectorSize<T>, sizeof(T));
    sum_products<T>({g, x.ptr<T>(), gy.ptr<T>(), shape.out_channels}, cut, static_cast<T>(scale), gw.ptr<T>());
  });
}

}  // namespace lora::kernels::LORA_CPU_ISA
