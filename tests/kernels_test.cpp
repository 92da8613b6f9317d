// Every row of the kernel table against plain loops in f64, for every instruction set that the machine has and for CUDA.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/base/rng.hpp"
#include "core/base/threads.hpp"
#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::Context;
using lora::test::cpu_tables;
using lora::test::kAwkward;
using lora::test::kernel_tables;
using lora::test::KernelArray;
using lora::test::kLayouts;
using lora::test::Layout;
using lora::test::rounding;
using lora::test::worst;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

constexpr DType kAllTypes[] = {DType::f32, DType::f64, DType::bf16, DType::f16, DType::u8, DType::i32, DType::i64, DType::boolean};

}  // namespace

TEST_CASE("kernels: copy converts between all types", "[kernels]") {
  const DType from = GENERATE(from_range(std::begin(kAllTypes), std::end(kAllTypes)));
  const DType to = GENERATE(from_range(std::begin(kAllTypes), std::end(kAllTypes)));
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Layout in : kLayouts) {
      for (const Layout out : kLayouts) {
        KernelArray x(from, {3, 37}, in), y(to, {3, 37}, out), want(to, {3, 37});
        x.fill_by([](Index i) { return static_cast<double>(i) * 0.75; });
        want.fill_by([&](Index i) { return x.get(i); });
        k->copy(Context{}, x.read(), y.view());
        CAPTURE(isa, from, to, static_cast<int>(in), static_cast<int>(out));
        REQUIRE(worst(y, [&](Index i) { return want.get(i); }) == 0);
      }
    }
  }
}

TEST_CASE("kernels: copy truncates, saturates and rounds", "[kernels]") {
  struct Row {
    DType from;
    double value;
    DType to;
    double want;
  };
  const std::vector<Row> rows = {
      {DType::f32, -1.75, DType::i32, -1},        {DType::f64, 300.0, DType::u8, 255},
      {DType::f64, -3.0, DType::u8, 0},           {DType::f64, kNaN, DType::i64, 0},
      {DType::f32, kInf, DType::i32, 2147483647}, {DType::f64, -1e300, DType::i64, -0x1p63},
      {DType::f64, kNaN, DType::boolean, 1},      {DType::f64, 0.1, DType::boolean, 1},
      {DType::f32, -0.0, DType::boolean, 0},      {DType::i64, 16777217, DType::f32, 16777216},
      {DType::f32, 65520, DType::f16, kInf},      {DType::f32, 1.00390625, DType::bf16, 1},
      {DType::boolean, 1, DType::f64, 1},         {DType::i32, -5, DType::f16, -5},
      {DType::f64, 0x1p63, DType::i64, 0x1p63},
  };
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Row& row : rows) {
      KernelArray x(row.from, {1}), y(row.to, {1});
      x.set(0, row.value);
      k->copy(Context{}, x.read(), y.view());
      CAPTURE(isa, row.from, row.value, row.to);
      CHECK(y.get(0) == row.want);
    }
  }
}

TEST_CASE("kernels: fill writes every element and nothing between", "[kernels]") {
  const DType dtype = GENERATE(from_range(std::begin(kAllTypes), std::end(kAllTypes)));
  const Layout layout = GENERATE(Layout::contiguous, Layout::reversed, Layout::gaps);
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index n : {0, 1, 33, 1025}) {
      KernelArray y(dtype, n == 1 ? Shape{1} : Shape{2, n}, layout), want = y;
      k->fill(Context{}, 1.0, y.view());
      want.fill_by([](Index) { return 1.0; });
      CAPTURE(isa, dtype, n);
      REQUIRE(y.bytes() == want.bytes());
    }
  }
}

namespace {

/// The sum kernel against a loop, summing over the axes that `reduced` names by letting y have size 1 there.
double check_sum(const lora::kernels::KernelTable& k, DType dtype, const Shape& shape, unsigned reduced, Layout layout) {
  KernelArray x(dtype, shape, layout);
  x.scramble(3);
  Shape out = shape;
  for (int i = 0; i < shape.ndim(); ++i) {
    out[i] = ((reduced >> i) & 1u) != 0 ? 1 : shape[i];
  }
  KernelArray y(dtype, out);
  y.scramble(4);
  k.sum(Context{}, 0.5, x.read(), y.view());
  std::vector<double> want(static_cast<std::size_t>(y.numel()));
  for (Index i = 0; i < x.numel(); ++i) {
    Index place = 0, step = 1, rest = i;
    for (int axis = shape.ndim() - 1; axis >= 0; --axis) {
      place += out[axis] == 1 ? 0 : rest % shape[axis] * step;
      step *= out[axis];
      rest /= shape[axis];
    }
    want[static_cast<std::size_t>(place)] += 0.5 * x.get(i);
  }
  return worst(y, [&](Index i) { return want[static_cast<std::size_t>(i)]; });
}

}  // namespace

TEST_CASE("kernels: sums over any axes in every layout", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Layout layout = GENERATE(Layout::contiguous, Layout::reversed, Layout::gaps);
  const std::vector<Shape> shapes = {{},          {0},       {1},    {1025},      {200000},     {64, 10},  {10, 64},
                                     {1000, 130}, {3, 0, 2}, {0, 3}, {4, 33, 65}, {2, 3, 4, 5}, {70000, 3}};
  const double tolerance = dtype == DType::f32 ? rounding(dtype) : 1e-12;  // in f64 both sums round, up to 200000 times
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Shape& shape : shapes) {
      for (unsigned reduced = 0; reduced < (1u << shape.ndim()); ++reduced) {
        CAPTURE(isa, dtype, shape, reduced, static_cast<int>(layout));
        REQUIRE(check_sum(*k, dtype, shape, reduced, layout) <= tolerance);
      }
    }
  }
}

TEST_CASE("kernels: sums have the same bits for any number of threads", "[kernels]") {
  const Shape shape = GENERATE(Shape{300000}, Shape{5000, 70}, Shape{70, 5000}, Shape{100000, 3});
  const unsigned reduced = GENERATE(1u, 2u, 3u);
  for (const auto& [isa, k] : cpu_tables()) {
    KernelArray x(DType::f32, shape);
    x.scramble(5);
    Shape out = shape;
    for (int i = 0; i < shape.ndim(); ++i) {
      out[i] = ((reduced >> i) & 1u) != 0 ? 1 : shape[i];
    }
    KernelArray reference(DType::f32, out), y(DType::f32, out);
    const int before = lora::num_threads();
    for (const int threads : {1, 2, 3}) {
      lora::set_num_threads(threads);
      k->sum(Context{}, 1.0, x.read(), threads == 1 ? reference.view() : y.view());
      CHECK((threads == 1 || y.bytes() == reference.bytes()));
    }
    lora::set_num_threads(before);
  }
}

TEST_CASE("kernels: uniform numbers and dropout masks are those of the sequence", "[kernels]") {
  const lora::PhiloxState random{0x123456789abcdef0u, 7, 0xfffffffeu};  // the counter passes 2^32
  const auto word = [&](Index i) { return random.block(static_cast<std::uint64_t>(i / 4))[static_cast<std::size_t>(i % 4)]; };
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index n : kAwkward) {
      KernelArray f(DType::f32, {n}), d(DType::f64, {n}), x(DType::f32, {n}), y(DType::f32, {n});
      x.scramble(1);
      k->uniform(Context{}, random, 0.0, 1.0, f.view());
      k->uniform(Context{}, random, -2.0, 3.0, d.view());
      k->dropout(Context{}, random, 0.3, x.read(), y.view());
      CAPTURE(isa, n);
      REQUIRE(worst(f, [&](Index i) { return lora::uniform_f32(word(i)); }) == 0);
      REQUIRE(worst(d, [&](Index i) { return std::fma(5.0, lora::uniform_f64(word(2 * i), word(2 * i + 1)), -2.0); }) == 0);
      REQUIRE(worst(y, [&](Index i) {
                const float kept = static_cast<float>(x.get(i)) / 0.7f;
                return static_cast<double>(lora::uniform_f32(word(i))) < 0.3 ? 0.0 : static_cast<double>(kept);
              }) == 0);
    }
  }
}

TEST_CASE("kernels: uniform numbers are the same bits on every instruction set", "[kernels]") {
  KernelArray first(DType::f32, {5000}), other(DType::f32, {5000});
  const auto tables = kernel_tables();
  tables[0].second->uniform(Context{}, {3, 1, 0}, -0.1234567, 0.7654321, first.view());
  for (const auto& [isa, k] : tables) {
    k->uniform(Context{}, {3, 1, 0}, -0.1234567, 0.7654321, other.view());
    CHECK(other.bytes() == first.bytes());
  }
}

TEST_CASE("kernels: normal numbers follow Box and Muller", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const lora::PhiloxState random{42, 0, 5};
  const bool single = dtype == DType::f32;
  const auto normal = [&](Index i) {
    const auto w = random.block(static_cast<std::uint64_t>(single ? i / 4 : i / 2));
    const std::size_t pair = single ? static_cast<std::size_t>(i / 2 % 2) * 2 : 0;
    const double u = single ? static_cast<double>(lora::uniform_f32(w[pair])) : lora::uniform_f64(w[0], w[1]);
    const double v = single ? static_cast<double>(lora::uniform_f32(w[pair + 1])) : lora::uniform_f64(w[2], w[3]);
    const double angle = 2 * std::acos(-1.0) * v;
    return std::sqrt(-2 * std::log(1 - u)) * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
  };
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index n : kAwkward) {
      KernelArray y(dtype, {n});
      k->normal(Context{}, random, 0.5, 2.0, y.view());
      CAPTURE(isa, dtype, n);
      REQUIRE(worst(y, [&](Index i) { return 0.5 + 2 * normal(i); }) <= 4 * rounding(dtype));
    }
  }
}
