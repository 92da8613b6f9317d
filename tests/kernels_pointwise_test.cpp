// The rows of functions of one number in the kernel table against the scalar functions in f64, for every instruction set that the
// machine has and for CUDA.

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
using lora::kernels::Parametric;
using lora::kernels::ParamOp;
using lora::kernels::UnaryOp;
using lora::test::kAwkward;
using lora::test::kernel_tables;
using lora::test::KernelArray;
using lora::test::kLayouts;
using lora::test::Layout;
using lora::test::rounding;
using lora::test::worst;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

const double kPi = std::acos(-1.0);

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double normal_cdf(double x) { return std::erfc(-x / std::sqrt(2.0)) / 2; }
double gelu_u(double x) { return std::sqrt(2 / kPi) * (x + 0.044715 * x * x * x); }

double gelu_tanh_slope(double x) {
  const double t = std::tanh(gelu_u(x)), du = std::sqrt(2 / kPi) * (1 + 3 * 0.044715 * x * x);
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du;
}

double value_of(UnaryOp op, double x) {
  switch (op) {
    case UnaryOp::neg: return -x;
    case UnaryOp::abs: return std::abs(x);
    case UnaryOp::square: return x * x;
    case UnaryOp::reciprocal: return 1 / x;
    case UnaryOp::sqrt: return std::sqrt(x);
    case UnaryOp::rsqrt: return 1 / std::sqrt(x);
    case UnaryOp::exp: return std::exp(x);
    case UnaryOp::expm1: return std::expm1(x);
    case UnaryOp::log: return std::log(x);
    case UnaryOp::log1p: return std::log1p(x);
    case UnaryOp::sin: return std::sin(x);
    case UnaryOp::cos: return std::cos(x);
    case UnaryOp::tanh: return std::tanh(x);
    case UnaryOp::erf: return std::erf(x);
    case UnaryOp::relu: return std::isnan(x) ? x : std::max(x, 0.0);
    case UnaryOp::sigmoid: return sigmoid(x);
    case UnaryOp::silu: return x * sigmoid(x);
    case UnaryOp::softplus: return std::log1p(std::exp(x));
    case UnaryOp::gelu: return x * normal_cdf(x);
    case UnaryOp::gelu_tanh: return 0.5 * x * (1 + std::tanh(gelu_u(x)));
  }
  return kNaN;
}

double slope_of(UnaryOp op, double x, double y) {
  switch (op) {
    case UnaryOp::neg: return -1;
    case UnaryOp::abs: return x > 0 ? 1 : x < 0 ? -1 : 0;
    case UnaryOp::square: return 2 * x;
    case UnaryOp::reciprocal: return -y * y;
    case UnaryOp::sqrt: return 0.5 / y;
    case UnaryOp::rsqrt: return -0.5 * y * y * y;
    case UnaryOp::exp: return y;
    case UnaryOp::expm1: return std::exp(x);
    case UnaryOp::log: return 1 / x;
    case UnaryOp::log1p: return 1 / (1 + x);
    case UnaryOp::sin: return std::cos(x);
    case UnaryOp::cos: return -std::sin(x);
    case UnaryOp::tanh: return 1 - y * y;
    case UnaryOp::erf: return 2 / std::sqrt(kPi) * std::exp(-x * x);
    case UnaryOp::relu: return x > 0 ? 1 : 0;
    case UnaryOp::sigmoid: return y * (1 - y);
    case UnaryOp::silu: return sigmoid(x) + x * sigmoid(x) * sigmoid(-x);
    case UnaryOp::softplus: return sigmoid(x);
    case UnaryOp::gelu: return normal_cdf(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * kPi);
    case UnaryOp::gelu_tanh: return gelu_tanh_slope(x);
  }
  return kNaN;
}

double value_of(const Parametric& f, double x) {
  switch (f.op) {
    case ParamOp::clamp:
    case ParamOp::hardtanh: return std::min(std::max(x, f.p), f.q);
    case ParamOp::pow: return std::pow(x, f.p);
    case ParamOp::leaky_relu: return x > 0 ? x : f.p * x;
    case ParamOp::elu: return x > 0 ? x : f.p * std::expm1(x);
  }
  return kNaN;
}

double slope_of(const Parametric& f, double x) {
  switch (f.op) {
    case ParamOp::clamp: return x >= f.p && x <= f.q ? 1 : 0;
    case ParamOp::hardtanh: return x > f.p && x < f.q ? 1 : 0;
    case ParamOp::pow: return f.p * std::pow(x, f.p - 1);
    case ParamOp::leaky_relu: return x > 0 ? 1 : f.p;
    case ParamOp::elu: return x > 0 ? 1 : f.p * std::exp(x);
  }
  return kNaN;
}

// Constants that f32 has exactly, as the reference is computed in f64.
constexpr Parametric kParams[] = {
    {ParamOp::clamp, -0.5, 0.25}, {ParamOp::hardtanh, -0.5, 0.25}, {ParamOp::pow, 3, 0},  {ParamOp::pow, 0, 0},
    {ParamOp::pow, 1, 0},         {ParamOp::leaky_relu, 0.125, 0}, {ParamOp::elu, 1.5, 0}};

#define LORA_UNARY_ENTRY(op) UnaryOp::op,
constexpr UnaryOp kUnaryOps[] = {LORA_UNARY_OPS(LORA_UNARY_ENTRY)};
#undef LORA_UNARY_ENTRY

/// Values where the op is defined: positive for logarithms and roots.
KernelArray argument(UnaryOp op, DType dtype, const Shape& shape, Layout layout) {
  KernelArray x(dtype, shape, layout);
  x.scramble(1);
  const UnaryOp positives[] = {UnaryOp::log, UnaryOp::log1p, UnaryOp::sqrt, UnaryOp::rsqrt, UnaryOp::reciprocal};
  const bool positive = std::find(std::begin(positives), std::end(positives), op) != std::end(positives);
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
  for (const auto& [isa, k] : kernel_tables()) {
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

TEST_CASE("kernels: functions with constants and their gradients in every layout", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Parametric f = GENERATE(from_range(std::begin(kParams), std::end(kParams)));
  const Layout in = GENERATE(from_range(std::begin(kLayouts), std::end(kLayouts)));
  const Layout out = GENERATE(from_range(std::begin(kLayouts), std::end(kLayouts)));
  for (const auto& [isa, k] : kernel_tables()) {
    CAPTURE(isa, dtype, static_cast<int>(f.op), f.p);
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{33}, Shape{5, 1, 7, 9}}) {
      KernelArray x(dtype, shape, in), gy(dtype, shape, in), y(dtype, shape, out), gx(dtype, shape, out);
      x.scramble(1);
      gy.scramble(2);
      k->param(Context{}, f, x.read(), y.view());
      k->param_grad(Context{}, f, x.read(), gy.read(), gx.view());
      REQUIRE(worst(y, [&](Index i) { return value_of(f, x.get(i)); }) <= rounding(dtype));
      REQUIRE(worst(gx, [&](Index i) { return gy.get(i) * slope_of(f, x.get(i)); }) <= rounding(dtype));
    }
  }
}

TEST_CASE("kernels: an element has the same bits wherever it stands", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const UnaryOp op = GENERATE(from_range(std::begin(kUnaryOps), std::end(kUnaryOps)));
  const KernelArray x = argument(op, dtype, {1000}, Layout::contiguous);
  KernelArray one(dtype, {1}), gy_one(dtype, {1}), gy(dtype, {1000}), gy_gaps(dtype, {1000}, Layout::gaps);
  gy.scramble(2);
  gy_gaps.scramble(2);
  for (const auto& [isa, k] : kernel_tables()) {
    KernelArray whole(dtype, {1000}), gaps(dtype, {1000}, Layout::gaps), single(dtype, {1});
    KernelArray slopes(dtype, {1000}), gap_slopes(dtype, {1000}, Layout::gaps), slope(dtype, {1});
    k->unary(Context{}, op, x.read(), whole.view());
    k->unary(Context{}, op, x.read(), gaps.view());
    k->unary_grad(Context{}, op, x.read(), x.read(), gy.read(), slopes.view());
    k->unary_grad(Context{}, op, x.read(), x.read(), gy_gaps.read(), gap_slopes.view());
    for (Index i = 0; i < 1000; ++i) {
      one.set(0, x.get(i));
      gy_one.set(0, gy.get(i));
      k->unary(Context{}, op, one.read(), single.view());
      k->unary_grad(Context{}, op, one.read(), one.read(), gy_one.read(), slope.view());
      CAPTURE(isa, dtype, static_cast<int>(op), i);
      REQUIRE((whole.get(i) == single.get(0) && gaps.get(i) == single.get(0)));
      REQUIRE((slopes.get(i) == slope.get(0) && gap_slopes.get(i) == slope.get(0)));
    }
  }
}

TEST_CASE("kernels: relu and its gradient keep NaN and are zero at zero", "[kernels]") {
  KernelArray x(DType::f32, {4}), y(DType::f32, {4}), gy(DType::f32, {4}), gx(DType::f32, {4});
  const std::vector<double> values = {kNaN, 0, -1, 2};
  x.fill_by([&](Index i) { return values[static_cast<std::size_t>(i)]; });
  gy.fill_by([](Index) { return 3; });
  for (const auto& [isa, k] : kernel_tables()) {
    CAPTURE(isa);
    k->unary(Context{}, UnaryOp::relu, x.read(), y.view());
    k->unary_grad(Context{}, UnaryOp::relu, x.read(), y.read(), gy.read(), gx.view());
    CHECK(std::isnan(y.get(0)));
    CHECK((y.get(1) == 0 && y.get(2) == 0 && y.get(3) == 2));
    CHECK((gx.get(1) == 0 && gx.get(2) == 0 && gx.get(3) == 3));
  }
}

TEST_CASE("kernels: results may replace their input", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Index n = GENERATE(1, 33, 1025, 40000);
  for (const auto& [isa, k] : kernel_tables()) {
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
