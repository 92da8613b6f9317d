// How exact the functions that kernels are made of are, against the C library in more digits, for every instruction set and for CUDA.

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::kernels::Context;
using lora::kernels::UnaryOp;
using lora::test::kernel_tables;
using lora::test::KernelArray;

namespace {

using Real = long double;  // 11 bits more than f64

Real sigmoid(Real x) { return 1 / (1 + std::exp(-x)); }
Real gelu(Real x) { return x * std::erfc(-x * std::sqrt(Real(0.5))) / 2; }
Real softplus(Real x) { return (x > 0 ? x : 0) + std::log1p(std::exp(-std::abs(x))); }

/// A function, where to look closely, and the units in the last place it may be off: a little more than was found in 400,000 points.
struct Row {
  const char* name;
  UnaryOp op;
  Real (*exact)(Real);
  double low, high;
  double units;
};

const Row kRows[] = {
    {"exp", UnaryOp::exp, std::exp, -110, 89, 1.5},
    {"expm1", UnaryOp::expm1, std::expm1, -60, 89, 1.5},
    {"log", UnaryOp::log, std::log, 0, 5, 1.5},
    {"log1p", UnaryOp::log1p, std::log1p, -1, 5, 1.5},
    {"tanh", UnaryOp::tanh, std::tanh, -10, 10, 2},
    {"erf", UnaryOp::erf, std::erf, -6, 6, 2},
    {"sigmoid", UnaryOp::sigmoid, sigmoid, -80, 20, 3},
    {"silu", UnaryOp::silu, [](Real x) { return x * sigmoid(x); }, -80, 20, 4},
    {"softplus", UnaryOp::softplus, softplus, -80, 20, 2},
    {"gelu", UnaryOp::gelu, gelu, -12, 8, 10},  // of values down to 1e-32: PyTorch has no digit of these left
};

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// |got - want| in units of the last place of `want`; 0 if both are NaN or the same infinity.
double units_off(DType dtype, double got, Real want) {
  const bool f32 = dtype == DType::f32;
  const double rounded = f32 ? static_cast<double>(static_cast<float>(want)) : static_cast<double>(want);
  if (got == rounded || (std::isnan(got) && std::isnan(rounded))) {
    return 0;
  }
  const int lowest = f32 ? -126 : -1022, digits = f32 ? 23 : 52;  // below the lowest power of two, units stay of one size
  const int exponent = want == 0 ? lowest : std::max(std::ilogb(want), lowest);
  return static_cast<double>(std::abs(static_cast<Real>(got) - want) / std::ldexp(Real(1), exponent - digits));
}

/// Points in equal steps, others closer and closer to 0, and what is special.
std::vector<double> points_of(const Row& row) {
  std::vector<double> points = {0, -0.0, 1, -1, -2, kNaN, kInf, -kInf, 1e-40, -1e-40, 1e-310, 1e4, -1e4, 1e30, -1e30};
  for (int i = 0; i <= 5000; ++i) {
    points.push_back(row.low + (row.high - row.low) * i / 5000);
    const double small = std::exp2(-i / 128.0);
    points.push_back(small);
    points.push_back(-small);
  }
  return points;
}

}  // namespace

TEST_CASE("kernels: vectorised functions are exact to a few units in the last place", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Row row = GENERATE(from_range(std::begin(kRows), std::end(kRows)));
  const std::vector<double> points = points_of(row);
  const Index n = static_cast<Index>(points.size());
  KernelArray x(dtype, {n}), y(dtype, {n});
  x.fill_by([&](Index i) { return points[static_cast<std::size_t>(i)]; });
  for (const auto& [isa, k] : kernel_tables()) {
    k->unary(Context{}, row.op, x.read(), y.view());
    for (Index i = 0; i < n; ++i) {
      const Real want = row.exact(x.get(i));
      CAPTURE(row.name, isa, dtype, x.get(i), y.get(i), want);
      REQUIRE(units_off(dtype, y.get(i), want) <= row.units);
      REQUIRE((std::signbit(y.get(i)) == std::signbit(want) || std::isnan(want)));
    }
  }
}

TEST_CASE("kernels: tails of gelu and its gradient do not cancel", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Index n = 1000;
  KernelArray x(dtype, {n}), y(dtype, {n}), gy(dtype, {n}), gx(dtype, {n});
  x.fill_by([](Index i) { return -10 + 0.008 * static_cast<double>(i); });  // up to -2: the slope is 0 at -0.75
  gy.fill_by([](Index) { return 1; });
  for (const auto& [isa, k] : kernel_tables()) {
    k->unary_grad(Context{}, UnaryOp::gelu, x.read(), y.read(), gy.read(), gx.view());
    for (Index i = 0; i < n; ++i) {
      const Real at = x.get(i), density = std::exp(-at * at / 2) / std::sqrt(2 * std::acos(Real(-1)));
      const Real want = std::erfc(-at * std::sqrt(Real(0.5))) / 2 + at * density;
      CAPTURE(isa, dtype, x.get(i), gx.get(i), want);
      REQUIRE(units_off(dtype, gx.get(i), want) <= 10);  // about as the function; far less than the 1e6 of 1 + erf
    }
  }
}
