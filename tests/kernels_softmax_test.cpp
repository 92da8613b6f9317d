// Softmax and the losses of every instruction set against plain loops in f64.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::Context;
using lora::test::cpu_tables;
using lora::test::KernelArray;
using lora::test::kLayouts;
using lora::test::Layout;
using lora::test::rounding;
using lora::test::worst;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

/// The elements of a shape as lines along an axis: line of element i, and its place in the line.
struct Lines {
  Index n, inner, count;
  Lines(const Shape& shape, int axis) : n(shape[axis]), inner(1), count(0) {
    for (int i = axis + 1; i < shape.ndim(); ++i) {
      inner *= shape[i];
    }
    count = n == 0 ? 0 : shape.numel() / n;
  }
  std::size_t line(Index i) const { return static_cast<std::size_t>(i / inner / n * inner + i % inner); }
};

/// Of each line: the sum of term(i) over its elements i.
template <class F>
std::vector<double> line_sums(const Lines& lines, Index numel, const F& term) {
  std::vector<double> sums(static_cast<std::size_t>(lines.count));
  for (Index i = 0; i < numel; ++i) {
    sums[lines.line(i)] += term(i);
  }
  return sums;
}

struct Case {
  Shape shape;
  int axis;
};

/// Lines shorter and longer than a tile, one beside the other, and in a row.
const std::vector<Case> kCases = {{{0, 3}, 0},     {{0, 3}, 1},     {{3, 0}, 1},    {{1}, 0},          {{1, 1}, 1},      {{5}, 0},
                                  {{33, 1}, 1},    {{33, 10}, 1},   {{17, 32}, 1},  {{3, 33}, 1},      {{2, 2100}, 1},   {{2100, 2}, 0},
                                  {{10, 33}, 0},   {{40, 130}, 0},  {{7, 64}, 0},   {{3, 10, 5}, 1},   {{3, 40, 5}, 1},  {{2, 40, 16}, 1},
                                  {{2, 5, 70}, 1}, {{2, 5, 70}, 0}, {{2, 3, 4}, 2}, {{300, 11, 3}, 1}, {{3, 2, 5, 4}, 1}};

}  // namespace

TEST_CASE("kernels: softmax along any axis in every layout", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Layout layout = GENERATE(Layout::contiguous, Layout::reversed, Layout::gaps);
  const double tolerance = 8 * rounding(dtype);  // the reference is not shifted, and so rounds otherwise
  for (const Case& c : kCases) {
    const Lines lines(c.shape, c.axis);
    KernelArray x(dtype, c.shape, layout), y(dtype, c.shape, layout), log_y(dtype, c.shape), gy(dtype, c.shape), gx(dtype, c.shape, layout);
    x.scramble(6).fill_by([&](Index i) { return 4 * x.get(i); });
    gy.scramble(7);
    const auto sums = line_sums(lines, x.numel(), [&](Index i) { return std::exp(x.get(i)); });
    for (const auto& [isa, k] : cpu_tables()) {
      CAPTURE(isa, dtype, c.shape, c.axis, static_cast<int>(layout));
      k->softmax(Context{}, false, c.axis, x.read(), y.view());
      k->softmax(Context{}, true, c.axis, x.read(), log_y.view());
      REQUIRE(worst(y, [&](Index i) { return std::exp(x.get(i)) / sums[lines.line(i)]; }) <= tolerance);
      REQUIRE(worst(log_y, [&](Index i) { return x.get(i) - std::log(sums[lines.line(i)]); }) <= tolerance);
      k->softmax_grad(Context{}, false, c.axis, y.read(), gy.read(), gx.view());
      const auto products = line_sums(lines, x.numel(), [&](Index i) { return gy.get(i) * y.get(i); });
      REQUIRE(worst(gx, [&](Index i) { return y.get(i) * (gy.get(i) - products[lines.line(i)]); }) <= tolerance);
      k->softmax_grad(Context{}, true, c.axis, log_y.read(), gy.read(), gx.view());
      const auto totals = line_sums(lines, x.numel(), [&](Index i) { return gy.get(i); });
      REQUIRE(worst(gx, [&](Index i) { return gy.get(i) - std::exp(log_y.get(i)) * totals[lines.line(i)]; }) <= tolerance);
    }
  }
}

TEST_CASE("kernels: softmax of large and of infinite values", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Index n = GENERATE(4, 60, 2200);  // in a tile, in a row, and beyond one pass of the lanes
  struct Row {
    std::vector<double> x, y;  // of a line that has the first value first, and the second n-1 times
  };
  const std::vector<Row> rows = {{{1000, -1000}, {1, 0}},        {{-1000, -3000}, {1, 0}},  {{2, -kInf}, {1, 0}},
                                 {{-kInf, -kInf}, {kNaN, kNaN}}, {{kInf, 1}, {kNaN, kNaN}}, {{kNaN, 1}, {kNaN, kNaN}},
                                 {{1, kNaN}, {kNaN, kNaN}}};
  const Index m = static_cast<Index>(rows.size());
  for (const auto& [isa, k] : cpu_tables()) {
    for (const Layout layout : kLayouts) {
      KernelArray x(dtype, {m, n}, layout), y(dtype, {m, n}, layout);
      const auto row = [&](Index i) { return rows[static_cast<std::size_t>(i / n)]; };
      x.fill_by([&](Index i) { return row(i).x[i % n == 0 ? 0 : 1]; });
      CAPTURE(isa, dtype, n, static_cast<int>(layout));
      k->softmax(Context{}, false, 1, x.read(), y.view());
      REQUIRE(worst(y, [&](Index i) { return row(i).y[i % n == 0 ? 0 : 1]; }) == 0);
      k->softmax(Context{}, true, 1, x.read(), y.view());
      REQUIRE(worst(y, [&](Index i) { return std::isnan(row(i).y[0]) ? kNaN : row(i).x[i % n == 0 ? 0 : 1] - row(i).x[0]; }) == 0);
    }
  }
}
