// Rows cross_entropy and cross_entropy_grad.

#include <algorithm>

#include "kernels/cuda/lines.hpp"

namespace lora::kernels::cuda {
namespace {

/// What a line's target distribution adds: `hit` at the target, `rest` everywhere.
struct Smoothed {
  double hit, rest;
};

Smoothed smoothed(double smoothing, Index classes) {
  return {1.0 - smoothing, smoothing / static_cast<double>(std::max<Index>(1, classes))};
}

template <class T>
__global__ void cross_entropy_kernel(Lines<4> lines, Smoothed wanted, const T* x, const Index* target, T* log_probs, T* loss) {
  using C = Compute<T>;
  const Line<4> line(lines);
  if (!line.exists) {
    return;
  }
  const Index n = lines.teams.length, step = lines.step[1], hit = target[line.at[2]];
  const T* from = x + line.at[1];
  T* to = log_probs + line.at[0];
  const auto value = [=](Index i) { return static_cast<C>(from[i * step]); };
  const C shift = largest_of(line, n, value);
  const C log_total = static_cast<C>(std::log(sum_of(line, n, [=](Index i) { return std::exp(value(i) - shift); })));
  const auto log_prob = [=](Index i) { return (value(i) - shift) - log_total; };
  for (Index i = line.rank(); i < n; i += line.size) {
    to[i * lines.step[0]] = static_cast<T>(log_prob(i));
  }
  // without smoothing nothing is added, not even 0 times infinity
  const double all = wanted.rest != 0.0 ? wanted.rest * sum_of(line, n, log_prob) : 0.0;
  if (line.rank() == 0) {
    loss[line.at[3]] = static_cast<T>(hit < 0 ? C(0) : static_cast<C>(-wanted.hit * static_cast<double>(log_prob(hit)) - all));
  }
}

/// gx is 0 whatever gy is where the target is ignored.
template <class T>
__global__ void cross_entropy_grad_kernel(Lines<4> lines, Smoothed wanted, const T* log_probs, const Index* target, const T* gy, T* gx) {
  using C = Compute<T>;
  const Line<4> line(lines);
  if (!line.exists) {
    return;
  }
  const Index n = lines.teams.length, hit = target[line.at[2]];
  const C slope = static_cast<C>(gy[line.at[3]]), rest = static_cast<C>(wanted.rest);
  for (Index i = line.rank(); i < n; i += line.size) {
    const C off = std::exp(static_cast<C>(log_probs[line.at[1] + i * lines.step[1]])) - rest;
    const C g = slope * (i == hit ? off - static_cast<C>(wanted.hit) : off);
    gx[line.at[0] + i * lines.step[0]] = static_cast<T>(hit < 0 ? C(0) : g);
  }
}

}  // namespace

void cross_entropy(const Context& context, double smoothing, const ConstView& x, const ConstView& target, const View& log_probs,
                   const View& loss) {
  const Lines<4> lines = make_lines<4>(x.shape, x.shape.ndim() - 1, {&log_probs.strides, &x.strides, &target.strides, &loss.strides});
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    launch_teams(context, Row::cross_entropy, lines.teams, cross_entropy_kernel<T>, lines, smoothed(smoothing, x.shape.back()), x.ptr<T>(),
                 target.ptr<Index>(), log_probs.ptr<T>(), loss.ptr<T>());
  });
}

void cross_entropy_grad(const Context& context, double smoothing, const ConstView& log_probs, const ConstView& target, const ConstView& gy,
                        const View& gx) {
  const Lines<4> lines = make_lines<4>(gx.shape, gx.shape.ndim() - 1, {&gx.strides, &log_probs.strides, &target.strides, &gy.strides});
  visit_stored(gx.dtype, [&]<class T>(Tag<T>) {
    launch_teams(context, Row::cross_entropy_grad, lines.teams, cross_entropy_grad_kernel<T>, lines, smoothed(smoothing, gx.shape.back()),
                 log_probs.ptr<T>(), target.ptr<Index>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
