// Rows sum, reduce, reduce_ties, abs_power_sum and var: passes over all values, each in one launch or, for few results of many values, in
// two with the partial results in scratch memory.

#include <cmath>
#include <limits>

#include "core/base/memory.hpp"
#include "kernels/cuda/reduce_plan.hpp"
#include "kernels/cuda/reduce_steps.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {
namespace {

struct Pass {
  Step step;
  Finish finish = Finish::scale;
  double factor = 1.0;
  double power = 1.0;  // the center of all results, if no array has it
};

/// One number of each result, of a type that is not the kernel's.
struct Numbers {
  void* data = nullptr;
  DType dtype = DType::f64;

  __device__ double get(Index i) const {
    switch (dtype) {
      case DType::f64: return static_cast<const double*>(data)[i];
      case DType::bf16: return static_cast<double>(static_cast<float>(static_cast<const bf16*>(data)[i]));
      default: return static_cast<double>(static_cast<const float*>(data)[i]);
    }
  }
  __device__ void set(Index i, double value) const {
    switch (dtype) {
      case DType::f64: static_cast<double*>(data)[i] = value; break;
      case DType::bf16: static_cast<bf16*>(data)[i] = static_cast<bf16>(static_cast<float>(value)); break;
      default: static_cast<float*>(data)[i] = static_cast<float>(value);
    }
  }
};

Numbers numbers(const View& y) { return {y.data, y.dtype}; }

/// The center of result i. A largest value that is not finite is none to take from others: their sum of powers is then 0, infinite or NaN.
__device__ double center_of(const Pass& pass, const Numbers& centers, Index i) {
  if (centers.data == nullptr) {
    return pass.power;
  }
  const double center = centers.get(i);
  const bool finite = std::abs(center) < std::numeric_limits<double>::infinity();
  const bool of_powers = pass.step == Step::exp_sum || pass.finish == Finish::logarithm;  // or of the sum of partial ones
  return finite || !of_powers ? center : 0.0;
}

__device__ double finished(const Pass& pass, double total, double center) {
  switch (pass.finish) {
    case Finish::scale: return pass.factor * total;
    case Finish::divide: return total / pass.factor;
    case Finish::root: return std::sqrt(total);
    case Finish::logarithm: return std::log(total) + center;
  }
  return total;
}

/// Values first, first + team, .. before `end`.
struct Range {
  Index first, end, team;
};

template <class S, class T>
__device__ double reduce_range(const Layout<1>& reduced, const Range& range, const T* x, double center) {
  double total = S::kStart;
  if (reduced.ndim == 1) {  // several reads are under way at a time
    const Index step = reduced.stride[0][0];
#pragma unroll 4
    for (Index i = range.first; i < range.end; i += range.team) {
      total = S::put(total, static_cast<Compute<T>>(x[i * step]), center);
    }
    return total;
  }
  for (Index i = range.first; i < range.end; i += range.team) {
    Index at[1];
    reduced.locate(i, at);
    total = S::put(total, static_cast<Compute<T>>(x[at[0]]), center);
  }
  return total;
}

__device__ double join(const Team& team, Step by, double total) {
  switch (by) {
    case Step::largest: return team.reduce(total, step::largest::kStart, Larger{});
    case Step::smallest: return team.reduce(total, step::smallest::kStart, Smaller{});
    default: return team.reduce(total, step::sum::kStart, Plus{});
  }
}

template <class T>
__global__ void reduce_kernel(ReducePlan plan, Pass pass, const T* x, Numbers centers, Numbers out) {
  const Team team{plan.teams.size};
  const Index number = team.number();
  if (number >= plan.teams.count) {
    return;
  }
  Index at[2];
  plan.kept.locate(plan.parts == 1 ? number : number % plan.kept.numel, at);
  const double center = center_of(pass, centers, at[1]);
  const Index begin = plan.parts == 1 ? 0 : number / plan.kept.numel * plan.part, n = plan.reduced.numel;
  const Range range{begin + team.rank(), begin + plan.part < n ? begin + plan.part : n, team.size};
  Step by = Step::sum;
  double total = visit_step(pass.step, [&]<class S>(Tag<S>) {
    by = S::join;
    return reduce_range<S>(plan.reduced, range, x + at[0], center);
  });
  total = join(team, by, total);
  team.sync();  // the centers may be what is written
  if (team.rank() == 0) {
    out.set(plan.parts == 1 ? at[1] : number, finished(pass, total, center));
  }
}

/// What rows ask for: their name, x and y.
struct Task {
  const Context& context;
  Row row;
  ConstView x;
  ReducePlan plan;
};

template <class T>
void run_pass(const Task& task, const Pass& pass, const T* x, Numbers centers, Numbers out) {
  launch_teams(task.context, task.row, task.plan.teams, reduce_kernel<T>, task.plan, pass, x, centers, out);
}

/// One reduction of all values to `out`.
void run(const Task& task, const Pass& pass, Numbers centers, Numbers out) {
  visit_stored(task.x.dtype, [&]<class T>(Tag<T>) {
    const T* x = task.x.ptr<T>();
    if (task.plan.parts == 1) {
      return run_pass(task, pass, x, centers, out);
    }
    const Scratch partial(static_cast<std::size_t>(task.plan.teams.count) * sizeof(double), task.context.device);
    run_pass(task, {pass.step, Finish::scale, 1.0, pass.power}, x, centers, {partial.ptr<double>(), DType::f64});
    const Step by = visit_step(pass.step, []<class S>(Tag<S>) { return S::join; });
    const Task rest{task.context, task.row, {}, plan_join(task.plan)};
    run_pass(rest, {by, pass.finish, pass.factor, pass.power}, static_cast<const double*>(partial.ptr<double>()), centers, out);
  });
}

Pass pass_of(ReduceOp op) {
  switch (op) {
    case ReduceOp::min: return {Step::smallest};
    case ReduceOp::norm1: return {Step::abs_sum};
    case ReduceOp::norm2: return {Step::square_sum, Finish::root};
    case ReduceOp::norm_inf: return {Step::largest_magnitude};
    default: return {Step::largest};
  }
}

Pass power_pass(double p) {
  if (p == std::numeric_limits<double>::infinity()) {
    return {Step::largest_magnitude};
  }
  return p == 1.0 ? Pass{Step::abs_sum} : p == 2.0 ? Pass{Step::square_sum} : Pass{Step::power_sum, Finish::scale, 1.0, p};
}

Task task_of(const Context& context, Row row, const ConstView& x, const View& y) {
  return {context, row, x, plan_reduction(x, y.shape, y.strides)};
}

}  // namespace

void sum(const Context& context, double scale, const ConstView& x, const View& y) {
  run(task_of(context, Row::sum, x, y), {Step::sum, Finish::scale, scale}, {}, numbers(y));
}

void reduce(const Context& context, ReduceOp op, const ConstView& x, const View& y) {
  const Task task = task_of(context, Row::reduce, x, y);
  run(task, pass_of(op), {}, numbers(y));
  if (op == ReduceOp::logsumexp) {  // y has the largest values
    run(task, {Step::exp_sum, Finish::logarithm}, numbers(y), numbers(y));
  }
}

void reduce_ties(const Context& context, ReduceOp op, const ConstView& x, const ConstView& y, const View& count) {
  const Numbers centers{const_cast<void*>(y.data), y.dtype};
  run(task_of(context, Row::reduce_ties, x, count), {op == ReduceOp::norm_inf ? Step::equal_magnitude : Step::equal}, centers,
      numbers(count));
}

void abs_power_sum(const Context& context, double p, const ConstView& x, const View& y) {
  Shape ones = x.shape;
  for (Index& size : ones) {
    size = 1;
  }
  run({context, Row::abs_power_sum, x, plan_reduction(x, ones, ones)}, power_pass(p), {}, numbers(y));
}

void var(const Context& context, double scale, const ConstView& x, const View& mean, const View& y) {
  const Task task = task_of(context, Row::var, x, y);
  run(task, {Step::sum, Finish::divide, static_cast<double>(task.plan.reduced.numel)}, {}, numbers(mean));
  run(task, {Step::deviation_sum, Finish::scale, scale}, numbers(mean), numbers(y));
}

}  // namespace lora::kernels::cuda
