// Softmax and the losses of every instruction set and of CUDA against plain loops in f64.

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
using lora::test::kernel_tables;
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
    for (const auto& [isa, k] : kernel_tables()) {
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
  for (const auto& [isa, k] : kernel_tables()) {
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

TEST_CASE("kernels: cross entropy and its gradient, with smoothing and ignored rows", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Layout layout = GENERATE(Layout::contiguous, Layout::reversed, Layout::gaps);
  const double smoothing = GENERATE(0.0, 0.3, 1.0);
  const Index n = GENERATE(0, 1, 33, 300), m = GENERATE(1, 10, 16, 33, 1025);
  KernelArray x(dtype, {n, m}, layout), log_probs(dtype, {n, m}), loss(dtype, {n}), gy(dtype, {n}), gx(dtype, {n, m}, layout);
  KernelArray target(DType::i64, {n}, Layout::gaps);
  x.scramble(6).fill_by([&](Index i) { return 300 + 20 * x.get(i); });
  gy.scramble(7);
  const auto ignored = [](Index row) { return row % 5 == 2; };
  target.fill_by([&](Index i) { return ignored(i) ? -100.0 : static_cast<double>(i * 7 % m); });
  const Lines lines({n, m}, 1);
  const auto sums = line_sums(lines, n * m, [&](Index i) { return std::exp(x.get(i) - 300); });
  const auto share = [&](Index i) { return (i % m == i / m * 7 % m ? 1 - smoothing : 0) + smoothing / static_cast<double>(m); };
  for (const auto& [isa, k] : kernel_tables()) {
    k->cross_entropy(Context{}, smoothing, x.read(), target.read(), log_probs.view(), loss.view());
    gx.fill_by([](Index) { return kNaN; });
    k->cross_entropy_grad(Context{}, smoothing, log_probs.read(), target.read(), gy.read(), gx.view());
    CAPTURE(isa, dtype, n, m, smoothing);
    const double tolerance = 8 * rounding(dtype);  // the reference subtracts 300, and so rounds otherwise
    REQUIRE(worst(log_probs, [&](Index i) { return x.get(i) - 300 - std::log(sums[lines.line(i)]); }) <= tolerance);
    const auto want = line_sums(lines, n * m, [&](Index i) { return ignored(i / m) ? 0 : -share(i) * log_probs.get(i); });
    REQUIRE(worst(loss, [&](Index i) { return want[static_cast<std::size_t>(i)]; }) <= tolerance);
    REQUIRE(worst(gx, [&](Index i) { return ignored(i / m) ? 0 : gy.get(i / m) * (std::exp(log_probs.get(i)) - share(i)); }) <= tolerance);
  }
}

TEST_CASE("kernels: cross entropy over several axes without a copy", "[kernels]") {
  const Shape shape{2, 3, 4, 5};  // [N, H, W, C], its classes innermost or not
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Layout layout : kLayouts) {
      KernelArray x(DType::f64, shape, layout), log_probs(DType::f64, shape, layout), gx(DType::f64, shape);
      KernelArray target(DType::i64, {2, 3, 4}, layout), loss(DType::f64, {2, 3, 4}), gy(DType::f64, {2, 3, 4}, layout);
      x.scramble(1);
      gy.scramble(2);
      target.fill_by([](Index i) { return static_cast<double>(i % 5); });
      const Lines lines(shape, 3);
      const auto sums = line_sums(lines, x.numel(), [&](Index i) { return std::exp(x.get(i)); });
      k->cross_entropy(Context{}, 0.0, x.read(), target.read(), log_probs.view(), loss.view());
      k->cross_entropy_grad(Context{}, 0.0, log_probs.read(), target.read(), gy.read(), gx.view());
      CAPTURE(isa, static_cast<int>(layout));
      const double tolerance = 8 * rounding(DType::f64);  // the reference is not shifted, and so rounds otherwise
      REQUIRE(worst(loss, [&](Index i) { return std::log(sums[static_cast<std::size_t>(i)]) - x.get(i * 5 + i % 5); }) <= tolerance);
      REQUIRE(worst(gx, [&](Index i) {
                return gy.get(i / 5) * (std::exp(x.get(i)) / sums[lines.line(i)] - (i % 5 == i / 5 % 5 ? 1 : 0));
              }) <= tolerance);
    }
  }
}

TEST_CASE("kernels: binary cross entropy neither overflows nor loses small losses", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Layout layout : kLayouts) {
      KernelArray x(dtype, {3, 41}, layout), target(dtype, {3, 41}, layout), loss(dtype, {3, 41});
      x.fill_by([](Index i) { return static_cast<double>(i - 61) * (i % 2 == 0 ? 0.3 : 20.0); });
      target.fill_by([&](Index i) { return x.get(i) > 0 ? 1.0 : static_cast<double>(i % 3) * 0.5; });
      k->bce_with_logits(Context{}, x.read(), target.read(), loss.view());
      const auto want = [&](Index i) {
        return std::max(x.get(i), 0.0) - x.get(i) * target.get(i) + std::log1p(std::exp(-std::abs(x.get(i))));
      };
      double relative = 0;
      for (Index i = 0; i < loss.numel(); ++i) {
        const double tiny = dtype == DType::f32 ? 1e-37 : 1e-300;  // below, losses are denormal
        relative = std::max(relative, std::abs(loss.get(i) - want(i)) / std::max(want(i), tiny));
      }
      CAPTURE(isa, dtype, static_cast<int>(layout));
      CHECK(relative <= 4 * rounding(dtype));
    }
  }
}
