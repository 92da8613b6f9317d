// The rows of normalisation against plain loops in f64, for every instruction set that the machine has and for CUDA.

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "core/base/threads.hpp"
#include "tests/support/kernel_array.hpp"

using lora::ConstView;
using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::Context;
using lora::kernels::KernelTable;
using lora::test::cpu_tables;
using lora::test::kernel_tables;
using lora::test::KernelArray;
using lora::test::rounding;
using lora::test::worst;

namespace {

constexpr double kEps = 0.01;

/// Rows and columns around lanes, blocks, folded rows and pieces. Small matrices too, whose last folded row is not full.
const std::vector<Shape> kShapes = {{1, 1},    {2, 3},   {33, 1},   {0, 5},    {5, 0},    {7, 16},   {65, 31},   {64, 33},
                                    {129, 64}, {3, 255}, {300, 65}, {40, 257}, {2, 1025}, {3, 5000}, {20000, 3}, {5000, 20}};

/// Weight, bias and statistics of some columns or rows.
struct Parameters {
  KernelArray weight, bias, mean, spread;
  Parameters(DType dtype, Index n) : weight(dtype, {n}), bias(dtype, {n}), mean(dtype, {n}), spread(dtype, {n}) {
    weight.scramble(1);
    bias.scramble(2);
    mean.scramble(3);
    spread.scramble(4).fill_by([this](Index i) { return 1.5 + spread.get(i); });
  }
};

double mean_of(Index n, const std::function<double(Index)>& value) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) {
    sum += value(i);
  }
  return n > 0 ? sum / static_cast<double>(n) : 0;
}

}  // namespace

TEST_CASE("kernels: mean and variance of columns", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const double offset = GENERATE(0.0, 1000.0);
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Shape& shape : kShapes) {
      const Index n = shape[0], m = shape[1];
      if (n == 0) {
        continue;
      }
      KernelArray x(dtype, shape), mean(dtype, {m}), var(dtype, {m});
      x.scramble(5).fill_by([&](Index i) { return x.get(i) + offset; });
      k->batch_norm_stats(Context{}, x.read(), mean.view(), var.view());
      std::vector<double> means, vars;
      for (Index j = 0; j < m; ++j) {
        means.push_back(mean_of(n, [&](Index i) { return x.get(i * m + j); }));
        vars.push_back(mean_of(n, [&](Index i) { return std::pow(x.get(i * m + j) - means.back(), 2); }));
      }
      CAPTURE(isa, dtype, n, m, offset);
      const double tolerance = dtype == DType::f32 ? 0x1p-23 : 1e-12;  // summed in double, rounded once; in f64 both sums round
      REQUIRE(worst(mean, [&](Index j) { return means[static_cast<std::size_t>(j)]; }) <= tolerance);
      REQUIRE(worst(var, [&](Index j) { return vars[static_cast<std::size_t>(j)]; }) <= tolerance);
    }
  }
}

TEST_CASE("kernels: normalisation of columns and its gradient", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const bool affine = GENERATE(false, true);
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Shape& shape : kShapes) {
      const Index n = shape[0], m = shape[1];
      KernelArray x(dtype, shape), gy(dtype, shape), y(dtype, shape), gx(dtype, shape), gx_constant(dtype, shape), sx(dtype, {m}),
          s(dtype, {m});
      Parameters p(dtype, m);
      x.scramble(6);
      gy.scramble(7);
      const ConstView weight = p.weight.read(), bias = p.bias.read(), sum_xhat = sx.read(), sum = s.read();
      const lora::kernels::ColumnNorm norm{p.mean.read(), p.spread.read(), kEps};
      const ConstView* w = affine ? &weight : nullptr;
      k->batch_norm(Context{}, x.read(), norm, {w, affine ? &bias : nullptr}, y.view());
      k->batch_norm_grad_sums(Context{}, x.read(), gy.read(), norm, sx.view(), s.view());
      k->batch_norm_grad(Context{}, x.read(), gy.read(), norm, {w, &sum_xhat, &sum}, gx.view());
      k->batch_norm_grad(Context{}, gy.read(), gy.read(), norm, {w, nullptr, nullptr}, gx_constant.view());
      const auto gain = [&](Index i) { return affine ? p.weight.get(i % m) : 1.0; };
      const auto rstd = [&](Index i) { return 1 / std::sqrt(p.spread.get(i % m) + kEps); };
      const auto xhat = [&](Index i) { return (x.get(i) - p.mean.get(i % m)) * rstd(i); };
      const auto sums = [&](Index j, bool with_xhat) {
        return static_cast<double>(n) * mean_of(n, [&](Index i) { return gy.get(i * m + j) * (with_xhat ? xhat(i * m + j) : 1.0); });
      };
      CAPTURE(isa, dtype, n, m, affine);
      const double near = 4 * rounding(dtype);  // values up to 5, a handful of operations
      const double share = n > 0 ? 1 / static_cast<double>(n) : 0;
      REQUIRE(worst(y, [&](Index i) { return xhat(i) * gain(i) + (affine ? p.bias.get(i % m) : 0); }) <= near);
      REQUIRE(worst(sx, [&](Index j) { return sums(j, true); }) <= (dtype == DType::f32 ? near : 1e-12));
      REQUIRE(worst(s, [&](Index j) { return sums(j, false); }) <= (dtype == DType::f32 ? near : 1e-12));
      REQUIRE(worst(gx, [&](Index i) {
                return gain(i) * rstd(i) * (gy.get(i) - share * s.get(i % m) - xhat(i) * share * sx.get(i % m));
              }) <= 4 * near);
      REQUIRE(worst(gx_constant, [&](Index i) { return gain(i) * rstd(i) * gy.get(i); }) <= near);
    }
  }
}

TEST_CASE("kernels: normalisation of rows and its gradient", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const bool affine = GENERATE(false, true);
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Shape& shape : kShapes) {
      const Index n = shape[0], m = shape[1];
      KernelArray x(dtype, shape), gy(dtype, shape), y(dtype, shape), gx(dtype, shape), mean(dtype, {n}), rstd(dtype, {n}), sx(dtype, {m}),
          s(dtype, {m});
      Parameters p(dtype, m);
      x.scramble(8);
      gy.scramble(9);
      const ConstView weight = p.weight.read(), bias = p.bias.read();
      const ConstView* w = affine ? &weight : nullptr;
      k->layer_norm(Context{}, kEps, x.read(), {w, affine ? &bias : nullptr}, {mean.view(), rstd.view()}, y.view());
      k->layer_norm_grad(Context{}, x.read(), gy.read(), {mean.read(), rstd.read()}, w, gx.view());
      k->layer_norm_grad_sums(Context{}, x.read(), gy.read(), {mean.read(), rstd.read()}, sx.view(), s.view());
      std::vector<double> want_y, want_gx, want_sx(static_cast<std::size_t>(m)), want_s(static_cast<std::size_t>(m));
      for (Index i = 0; i < n; ++i) {
        const auto at = [&](const KernelArray& a) { return [&a, i, m](Index j) { return a.get(i * m + j); }; };
        const auto gain = [&](Index j) { return affine ? p.weight.get(j) : 1.0; };
        const double center = mean_of(m, at(x)),
                     scale = 1 / std::sqrt(mean_of(m, [&](Index j) { return std::pow(at(x)(j) - center, 2); }) + kEps);
        const auto xhat = [&](Index j) { return (at(x)(j) - center) * scale; };
        const double offset = mean_of(m, [&](Index j) { return at(gy)(j) * gain(j); });
        const double tilt = mean_of(m, [&](Index j) { return at(gy)(j) * gain(j) * xhat(j); });
        for (Index j = 0; j < m; ++j) {
          want_y.push_back(xhat(j) * gain(j) + (affine ? p.bias.get(j) : 0));
          want_gx.push_back(scale * (at(gy)(j) * gain(j) - offset - xhat(j) * tilt));
          want_sx[static_cast<std::size_t>(j)] += at(gy)(j) * xhat(j);
          want_s[static_cast<std::size_t>(j)] += at(gy)(j);
        }
      }
      const auto of = [](const std::vector<double>& v) { return [&v](Index i) { return v[static_cast<std::size_t>(i)]; }; };
      CAPTURE(isa, dtype, n, m, affine);
      const double near = 64 * rounding(dtype);  // rstd is up to 10, and mean is rounded before it multiplies
      REQUIRE(worst(y, of(want_y)) <= near);
      REQUIRE(worst(gx, of(want_gx)) <= near);
      REQUIRE(worst(sx, of(want_sx)) <= near);
      REQUIRE(worst(s, of(want_s)) <= near);
    }
  }
}

TEST_CASE("kernels: normalisation has the same bits for any number of threads", "[kernels][threads]") {
  const Shape shape = GENERATE(Shape{30000, 3}, Shape{4000, 64}, Shape{500, 700});
  const Index n = shape[0], m = shape[1];
  const int before = lora::num_threads();
  for (const auto& [isa, k] : cpu_tables()) {
    std::vector<std::vector<unsigned char>> reference;
    for (const int threads : {1, 2, 3}) {
      lora::set_num_threads(threads);
      KernelArray x(DType::f32, shape), gy(DType::f32, shape), y(DType::f32, shape), mean(DType::f32, {m}), var(DType::f32, {m});
      KernelArray sx(DType::f32, {m}), s(DType::f32, {m}), row_mean(DType::f32, {n}), rstd(DType::f32, {n}), rx(DType::f32, {m}),
          r(DType::f32, {m});
      x.scramble(10);
      gy.scramble(11);
      k->batch_norm_stats(Context{}, x.read(), mean.view(), var.view());
      k->batch_norm_grad_sums(Context{}, x.read(), gy.read(), {mean.read(), var.read(), kEps}, sx.view(), s.view());
      k->layer_norm(Context{}, kEps, x.read(), {}, {row_mean.view(), rstd.view()}, y.view());
      k->layer_norm_grad_sums(Context{}, x.read(), gy.read(), {row_mean.read(), rstd.read()}, rx.view(), r.view());
      std::vector<std::vector<unsigned char>> found;
      for (const KernelArray* a : {&mean, &var, &sx, &s, &y, &rx, &r}) {
        found.push_back(a->bytes());
      }
      reference = threads == 1 ? found : reference;
      CAPTURE(isa, threads, n, m);
      CHECK(found == reference);
    }
  }
  lora::set_num_threads(before);
}
