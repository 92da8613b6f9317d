// The pointwise rows of the CPU kernel table against the scalar functions in f64, for every instruction set that the machine has.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::BinaryOp;
using lora::kernels::Context;
using lora::kernels::UnaryOp;
using lora::test::cpu_tables;
using lora::test::kAwkward;
using lora::test::KernelArray;
using lora::test::kLayouts;
using lora::test::Layout;
using lora::test::rounding;
using lora::test::worst;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

double value_of(UnaryOp op, double x) {
  switch (op) {
    case UnaryOp::neg: return -x;
    case UnaryOp::relu: return std::isnan(x) ? x : std::max(x, 0.0);
    case UnaryOp::exp: return std::exp(x);
    case UnaryOp::log: return std::log(x);
    case UnaryOp::sqrt: return std::sqrt(x);
    case UnaryOp::tanh: return std::tanh(x);
    case UnaryOp::sigmoid: return 1 / (1 + std::exp(-x));
  }
  return kNaN;
}

double slope_of(UnaryOp op, double x, double y) {
  switch (op) {
    case UnaryOp::neg: return -1;
    case UnaryOp::relu: return x > 0 ? 1 : 0;
    case UnaryOp::exp: return y;
    case UnaryOp::log: return 1 / x;
    case UnaryOp::sqrt: return 0.5 / y;
    case UnaryOp::tanh: return 1 - y * y;
    case UnaryOp::sigmoid: return y * (1 - y);
  }
  return kNaN;
}

double value_of(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add: return a + b;
    case BinaryOp::sub: return a - b;
    case BinaryOp::mul: return a * b;
    case BinaryOp::div: return a / b;
  }
  return kNaN;
}

#define LORA_UNARY_ENTRY(op) UnaryOp::op,
#define LORA_BINARY_ENTRY(op) BinaryOp::op,
constexpr UnaryOp kUnaryOps[] = {LORA_UNARY_OPS(LORA_UNARY_ENTRY)};
constexpr BinaryOp kBinaryOps[] = {LORA_BINARY_OPS(LORA_BINARY_ENTRY)};
#undef LORA_UNARY_ENTRY
#undef LORA_BINARY_ENTRY

/// Values where the op is defined: positive for log and sqrt.
KernelArray argument(UnaryOp op, DType dtype, const Shape& shape, Layout layout) {
  KernelArray x(dtype, shape, layout);
  x.scramble(1);
  const bool positive = op == UnaryOp::log || op == UnaryOp::sqrt;
  return x.fill_by([&](Index i) { return positive ? 0.01 + 5 * std::abs(x.get(i)) : 6 * x.get(i); });
}

double check_unary(const lora::kernels::KernelTable& k, UnaryOp op, DType dtype, const Shape& shape, Layout in, Layout out) {
  const KernelArray x = argument(op, dtype, shape, in);
  KernelArray y(dtype, shape, out), gy(dtype, shape, in), gx(dtype, shape, out);
  gy.scramble(2);
  k.unary(Context{}, op, x.read(), y.view());
  k.unary_grad(Context{}, op, x.read(), y.read(), gy.read(), gx.view());
  const double value = worst(y, [&](Index i) { return value_of(op, x.get(i)); });
  return std::max(value, worst(gx, [&](Index i) { return gy.get(i) * slope_of(op, x.get(i), y.get(i)); }));
}

}  // namespace

TEST_CASE("kernels: unary functions and gradients in every layout", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const UnaryOp op = GENERATE(from_range(std::begin(kUnaryOps), std::end(kUnaryOps)));
  for (const auto& [isa, k] : cpu_tables()) {
    CAPTURE(isa, dtype, static_cast<int>(op));
    for (const Index n : kAwkward) {
      REQUIRE(check_unary(*k, op, dtype, {n}, Layout::contiguous, Layout::contiguous) <= rounding(dtype));
    }
    for (const Layout in : kLayouts) {
      for (const Layout out : kLayouts) {
        REQUIRE(check_unary(*k, op, dtype, {5, 1, 7, 9}, in, out) <= rounding(dtype));
        REQUIRE(check_unary(*k, op, dtype, {}, in, out) <= rounding(dtype));
      }
    }
  }
}

TEST_CASE("kernels: exp is right at its limits and within two units in the last place", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const double limit = dtype == DType::f32 ? 88.5 : 709;
  const Index n = 20001;
  KernelArray x(dtype, {n}), y(dtype, {n});
  x.fill_by([&](Index i) { return limit * (static_cast<double>(i) / 10000 - 1); });
  const std::vector<double> special = {kNaN, kInf, -kInf, 0, -0.0, 1e-30, 1e4, -1e4, 1e30, -1e30};
  for (std::size_t i = 0; i < special.size(); ++i) {
    x.set(static_cast<Index>(i), special[i]);
  }
  for (const auto& [isa, k] : cpu_tables()) {
    k->unary(Context{}, UnaryOp::exp, x.read(), y.view());
    const double ulp = dtype == DType::f32 ? 0x1p-23 : 0x1p-52;
    const double smallest = dtype == DType::f32 ? 0x1p-126 : 0x1p-1022;  // below, units stay of one size
    for (Index i = 0; i < n; ++i) {
      const double want = dtype == DType::f32 ? static_cast<double>(std::exp(static_cast<float>(x.get(i)))) : std::exp(x.get(i));
      const double got = y.get(i);
      CAPTURE(isa, dtype, x.get(i), got, want);
      REQUIRE((got == want || (std::isnan(got) && std::isnan(want)) || std::abs(got - want) <= 2 * ulp * std::max(want, smallest)));
    }
  }
}

TEST_CASE("kernels: an element has the same bits wherever it stands", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const UnaryOp op = GENERATE(from_range(std::begin(kUnaryOps), std::end(kUnaryOps)));
  const KernelArray x = argument(op, dtype, {1000}, Layout::contiguous);
  for (const auto& [isa, k] : cpu_tables()) {
    KernelArray whole(dtype, {1000}), gaps(dtype, {1000}, Layout::gaps), single(dtype, {1});
    k->unary(Context{}, op, x.read(), whole.view());
    k->unary(Context{}, op, x.read(), gaps.view());
    for (Index i = 0; i < 1000; ++i) {
      lora::ConstView one = x.read();
      one.data = static_cast<const char*>(one.data) + static_cast<std::size_t>(i) * itemsize(dtype);
      one.shape = {1};
      k->unary(Context{}, op, one, single.view());
      CAPTURE(isa, dtype, static_cast<int>(op), i);
      REQUIRE(whole.get(i) == single.get(0));
      REQUIRE(gaps.get(i) == single.get(0));
    }
  }
}

TEST_CASE("kernels: relu and its gradient keep NaN and are zero at zero", "[kernels]") {
  KernelArray x(DType::f32, {4}), y(DType::f32, {4}), gy(DType::f32, {4}), gx(DType::f32, {4});
  const std::vector<double> values = {kNaN, 0, -1, 2};
  x.fill_by([&](Index i) { return values[static_cast<std::size_t>(i)]; });
  gy.fill_by([](Index) { return 3; });
  for (const auto& [isa, k] : cpu_tables()) {
    CAPTURE(isa);
    k->unary(Context{}, UnaryOp::relu, x.read(), y.view());
    k->unary_grad(Context{}, UnaryOp::relu, x.read(), y.read(), gy.read(), gx.view());
    CHECK(std::isnan(y.get(0)));
    CHECK((y.get(1) == 0 && y.get(2) == 0 && y.get(3) == 2));
    CHECK((gx.get(1) == 0 && gx.get(2) == 0 && gx.get(3) == 3));
  }
}

TEST_CASE("kernels: binary functions with broadcasting in every layout", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const BinaryOp op = GENERATE(from_range(std::begin(kBinaryOps), std::end(kBinaryOps)));
  const Index m = GENERATE(1, 17, 64, 1025);
  const Shape shape{3, 5, m};
  const std::vector<Shape> strides = {{5 * m, m, 1}, {0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {5, 1, 0}, {1, 3, 15}, {15 * m, 3 * m, 3}};
  for (const auto& [isa, k] : cpu_tables()) {
    for (const Shape& sa : strides) {
      for (const Shape& sb : strides) {
        KernelArray a(dtype, shape, sa), b(dtype, shape, sb), y(dtype, shape);
        a.scramble(1);
        b.scramble(2).fill_by([&](Index i) { return std::abs(b.get(i)) + 0.5; });
        const KernelArray before_a = a, before_b = b;
        k->binary(Context{}, op, a.read(), b.read(), y.view());
        CAPTURE(isa, dtype, static_cast<int>(op), sa, sb);
        REQUIRE(worst(y, [&](Index i) { return value_of(op, a.get(i), b.get(i)); }) <= rounding(dtype));
        REQUIRE((a.bytes() == before_a.bytes() && b.bytes() == before_b.bytes()));
      }
    }
  }
}

TEST_CASE("kernels: results may replace their input", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Index n = GENERATE(1, 33, 1025, 40000);
  for (const auto& [isa, k] : cpu_tables()) {
    CAPTURE(isa, dtype, n);
    KernelArray x(dtype, {n}), b(dtype, {n});
    x.scramble(1);
    b.scramble(2);
    const KernelArray old = x;
    k->affine(Context{}, 2.5, -0.25, x.read(), x.view());
    REQUIRE(worst(x, [&](Index i) { return 2.5 * old.get(i) - 0.25; }) <= rounding(dtype));
    k->binary(Context{}, BinaryOp::sub, b.read(), x.read(), x.view());
    REQUIRE(worst(x, [&](Index i) { return b.get(i) - (2.5 * old.get(i) - 0.25); }) <= rounding(dtype));
    k->unary(Context{}, UnaryOp::exp, x.read(), x.view());
    REQUIRE(worst(x, [&](Index i) { return std::exp(b.get(i) - (2.5 * old.get(i) - 0.25)); }) <= 2 * rounding(dtype));
  }
}
