// Rows softmax and softmax_grad.

#include "kernels/cuda/lines.hpp"

namespace lora::kernels::cuda {
namespace {

template <class T>
__global__ void softmax_kernel(Lines<2> lines, bool log, const T* x, T* y) {
  using C = Compute<T>;
  const Line<2> line(lines);
  if (!line.exists) {
    return;
  }
  const Index n = lines.teams.length, step = lines.step[1];
  const T* from = x + line.at[1];
  T* to = y + line.at[0];
  const auto value = [=](Index i) { return static_cast<C>(from[i * step]); };
  const C shift = largest_of(line, n, value);
  const double total = sum_of(line, n, [=](Index i) { return std::exp(value(i) - shift); });
  const C log_total = static_cast<C>(std::log(total)), scale = static_cast<C>(1.0 / total);
  for (Index i = line.rank(); i < n; i += line.size) {
    const C shifted = value(i) - shift;
    to[i * lines.step[0]] = static_cast<T>(log ? shifted - log_total : std::exp(shifted) * scale);
  }
}

template <class T>
__global__ void softmax_grad_kernel(Lines<3> lines, bool log, const T* y, const T* gy, T* gx) {
  using C = Compute<T>;
  const Line<3> line(lines);
  if (!line.exists) {
    return;
  }
  const Index n = lines.teams.length, sy = lines.step[1], sg = lines.step[2];
  const T *py = y + line.at[1], *pg = gy + line.at[2];
  T* to = gx + line.at[0];
  const auto result = [=](Index i) { return static_cast<C>(py[i * sy]); };
  const auto slope = [=](Index i) { return static_cast<C>(pg[i * sg]); };
  const C total = static_cast<C>(sum_of(line, n, [=](Index i) { return log ? slope(i) : slope(i) * result(i); }));
  for (Index i = line.rank(); i < n; i += line.size) {
    const C g = log ? slope(i) - std::exp(result(i)) * total : result(i) * (slope(i) - total);
    to[i * lines.step[0]] = static_cast<T>(g);
  }
}

}  // namespace

void softmax(const Context& context, bool log, int axis, const ConstView& x, const View& y) {
  const Lines<2> lines = make_lines<2>(y.shape, axis, {&y.strides, &x.strides});
  visit_stored(x.dtype, [&]<class T>(Tag<T>) {
    launch_teams(context, Row::softmax, lines.teams, softmax_kernel<T>, lines, log, x.ptr<T>(), y.ptr<T>());
  });
}

void softmax_grad(const Context& context, bool log, int axis, const ConstView& y, const ConstView& gy, const View& gx) {
  const Lines<3> lines = make_lines<3>(gx.shape, axis, {&gx.strides, &y.strides, &gy.strides});
  visit_stored(y.dtype, [&]<class T>(Tag<T>) {
    launch_teams(context, Row::softmax_grad, lines.teams, softmax_grad_kernel<T>, lines, log, y.ptr<T>(), gy.ptr<T>(), gx.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
