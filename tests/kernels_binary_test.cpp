// The rows of functions of two numbers in the kernel table against the scalar functions in f64, for every instruction set
// and for CUDA.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::BinaryOp;
using lora::kernels::CompareOp;
using lora::kernels::Context;
using lora::test::kernel_tables;
using lora::test::KernelArray;
using lora::test::rounding;
using lora::test::worst;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

double value_of(BinaryOp op, double a, double b) {
  switch (op) {
    case BinaryOp::add: return a + b;
    case BinaryOp::sub: return a - b;
    case BinaryOp::mul: return a * b;
    case BinaryOp::div: return a / b;
    case BinaryOp::pow: return std::pow(a, b);
    case BinaryOp::maximum: return std::max(a, b);
    case BinaryOp::minimum: return std::min(a, b);
  }
  return kNaN;
}

/// Slopes with respect to a and b.
std::pair<double, double> slopes_of(BinaryOp op, double a, double b) {
  const double first = a == b ? 0.5 : a > b ? 1 : 0;
  switch (op) {
    case BinaryOp::add: return {1, 1};
    case BinaryOp::sub: return {1, -1};
    case BinaryOp::mul: return {b, a};
    case BinaryOp::div: return {1 / b, -a / (b * b)};
    case BinaryOp::pow: return {b * std::pow(a, b - 1), std::pow(a, b) * std::log(a)};
    case BinaryOp::maximum: return {first, 1 - first};
    case BinaryOp::minimum: return {1 - first, first};
  }
  return {kNaN, kNaN};
}

bool value_of(CompareOp op, double a, double b) {
  switch (op) {
    case CompareOp::eq: return a == b;
    case CompareOp::ne: return a != b;
    case CompareOp::lt: return a < b;
    case CompareOp::le: return a <= b;
  }
  return false;
}

#define LORA_BINARY_ENTRY(op) BinaryOp::op,
#define LORA_COMPARE_ENTRY(op) CompareOp::op,
constexpr BinaryOp kBinaryOps[] = {LORA_BINARY_OPS(LORA_BINARY_ENTRY)};
constexpr CompareOp kCompareOps[] = {LORA_COMPARE_OPS(LORA_COMPARE_ENTRY)};
#undef LORA_BINARY_ENTRY
#undef LORA_COMPARE_ENTRY

constexpr DType kAllTypes[] = {DType::f32, DType::f64, DType::bf16, DType::f16, DType::u8, DType::i32, DType::i64, DType::boolean};

/// Few different values, so that some are equal: 0, 1, and with more signs -1; for bool as it converts.
KernelArray few_values(DType dtype, const Shape& shape, const Shape& strides, int salt) {
  KernelArray x(dtype, shape, strides);
  x.scramble(salt);
  const bool negative = dtype != DType::u8 && dtype != DType::boolean;
  return x.fill_by([&](Index i) {
    const int third = static_cast<int>((i * 7 + salt) % 3);
    return static_cast<double>(negative ? third - 1 : third % 2);
  });
}

}  // namespace

TEST_CASE("kernels: binary functions and their gradients with broadcasting in every layout", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const BinaryOp op = GENERATE(from_range(std::begin(kBinaryOps), std::end(kBinaryOps)));
  const Index m = GENERATE(1, 17, 64, 1025);
  const Shape shape{3, 5, m};
  const std::vector<Shape> strides = {{5 * m, m, 1}, {0, 0, 0}, {0, 0, 1}, {0, 1, 0}, {5, 1, 0}, {1, 3, 15}, {15 * m, 3 * m, 3}};
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Shape& sa : strides) {
      for (const Shape& sb : strides) {
        KernelArray a(dtype, shape, sa), b(dtype, shape, sb), y(dtype, shape), gy(dtype, shape), ga(dtype, shape), gb(dtype, shape);
        const auto positive = [](Index i) { return 0.5 + static_cast<double>((i + 1) * 7919 % 2003) / 2003; };
        op == BinaryOp::pow ? a.fill_by(positive) : a.scramble(1);
        b.fill_by([&](Index i) { return positive(i + 5); });
        gy.scramble(3);
        const KernelArray before_a = a, before_b = b;
        k->binary(Context{}, op, a.read(), b.read(), y.view());
        k->binary_grad(Context{}, {op, 0}, a.read(), b.read(), gy.read(), ga.view());
        k->binary_grad(Context{}, {op, 1}, a.read(), b.read(), gy.read(), gb.view());
        CAPTURE(isa, dtype, static_cast<int>(op), sa, sb);
        REQUIRE(worst(y, [&](Index i) { return value_of(op, a.get(i), b.get(i)); }) <= rounding(dtype));
        REQUIRE(worst(ga, [&](Index i) { return gy.get(i) * slopes_of(op, a.get(i), b.get(i)).first; }) <= rounding(dtype));
        REQUIRE(worst(gb, [&](Index i) { return gy.get(i) * slopes_of(op, a.get(i), b.get(i)).second; }) <= rounding(dtype));
        REQUIRE((a.bytes() == before_a.bytes() && b.bytes() == before_b.bytes()));
      }
    }
  }
}

TEST_CASE("kernels: comparisons of every dtype with broadcasting", "[kernels]") {
  const DType dtype = GENERATE(from_range(std::begin(kAllTypes), std::end(kAllTypes)));
  const CompareOp op = GENERATE(from_range(std::begin(kCompareOps), std::end(kCompareOps)));
  const Index m = GENERATE(1, 17, 70);
  const Shape shape{3, 5, m};
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Shape& sa : {Shape{5 * m, m, 1}, Shape{0, 0, 0}, Shape{1, 3, 15}}) {
      for (const Shape& sb : {Shape{5 * m, m, 1}, Shape{0, 1, 0}, Shape{15 * m, 3 * m, 3}}) {
        const KernelArray a = few_values(dtype, shape, sa, 1), b = few_values(dtype, shape, sb, 2);
        KernelArray y(DType::boolean, shape);
        k->compare(Context{}, op, a.read(), b.read(), y.view());
        CAPTURE(isa, dtype, static_cast<int>(op), sa, sb);
        REQUIRE(worst(y, [&](Index i) { return value_of(op, a.get(i), b.get(i)) ? 1.0 : 0.0; }) == 0);
      }
    }
  }
}

TEST_CASE("kernels: where chooses among every dtype with broadcasting", "[kernels]") {
  const DType dtype = GENERATE(from_range(std::begin(kAllTypes), std::end(kAllTypes)));
  const Index m = GENERATE(1, 17, 70);
  const Shape shape{3, 5, m};
  const std::vector<Shape> strides = {{5 * m, m, 1}, {0, 0, 0}, {0, 1, 0}, {1, 3, 15}};
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Shape& sc : strides) {
      for (const Shape& sa : strides) {
        for (const Shape& sb : strides) {
          const KernelArray c = few_values(DType::boolean, shape, sc, 3);
          const KernelArray a = few_values(dtype, shape, sa, 1), b = few_values(dtype, shape, sb, 2);
          KernelArray y(dtype, shape);
          k->where(Context{}, c.read(), a.read(), b.read(), y.view());
          CAPTURE(isa, dtype, sc, sa, sb);
          REQUIRE(worst(y, [&](Index i) { return c.get(i) != 0 ? a.get(i) : b.get(i); }) == 0);
        }
      }
    }
  }
}
