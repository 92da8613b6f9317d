// The kernels that move and clip parameters, against plain loops in f64, for every instruction set that the machine has and for CUDA.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

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

}  // namespace

TEST_CASE("kernels: a step of Adam and AdamW", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const bool decoupled = GENERATE(false, true), amsgrad = GENERATE(false, true), maximize = GENERATE(false, true);
  const Layout layout = GENERATE(Layout::contiguous, Layout::gaps);
  const lora::kernels::AdamStep step{0.01, 0.9, 0.999, 1e-8, 0.1, 1 - 0.81, 1 - 0.998001, decoupled, maximize};
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index n : kAwkward) {
      KernelArray g(dtype, {n}, layout), p(dtype, {n}), m(dtype, {n}), v(dtype, {n}), most(dtype, {n});
      g.scramble(1);
      p.scramble(2);
      m.scramble(3);
      v.scramble(4).fill_by([&](Index i) { return std::abs(v.get(i)); });
      most.scramble(5).fill_by([&](Index i) { return std::abs(most.get(i)); });
      const KernelArray p0 = p, m0 = m, v0 = v, most0 = most;
      const lora::View largest = most.view();
      k->adam_step(Context{}, step, g.read(), p.view(), {m.view(), v.view(), amsgrad ? &largest : nullptr});
      const auto grad = [&](Index i) { return (maximize ? -1 : 1) * g.get(i) + (decoupled ? 0 : 0.1 * p0.get(i)); };
      CAPTURE(isa, dtype, decoupled, amsgrad, maximize, n);
      REQUIRE(worst(m, [&](Index i) { return 0.9 * m0.get(i) + 0.1 * grad(i); }) <= rounding(dtype));
      REQUIRE(worst(v, [&](Index i) { return 0.999 * v0.get(i) + 0.001 * grad(i) * grad(i); }) <= rounding(dtype));
      REQUIRE(worst(most, [&](Index i) { return amsgrad ? std::max(most0.get(i), v.get(i)) : most0.get(i); }) == 0);
      REQUIRE(worst(p, [&](Index i) {
                const double kept = p0.get(i) * (decoupled ? 1 - 0.01 * 0.1 : 1.0);
                const double second = amsgrad ? most.get(i) : v.get(i);
                return kept - 0.01 / step.bias1 * m.get(i) / (std::sqrt(second / step.bias2) + 1e-8);
              }) <= rounding(dtype));
    }
  }
}

TEST_CASE("kernels: AMSGrad's maximum keeps NaN", "[kernels]") {
  for (const auto& [isa, k] : kernel_tables()) {
    KernelArray g(DType::f32, {4}), p(DType::f32, {4}), m(DType::f32, {4}), v(DType::f32, {4}), most(DType::f32, {4});
    v.fill_by([](Index i) { return i == 1 ? kNaN : 1; });
    most.fill_by([](Index i) { return i == 2 ? kNaN : 2; });
    const lora::View largest = most.view();
    k->adam_step(Context{}, {0.01, 0.9, 0.5, 1e-8, 0, 0.1, 0.5, false, false}, g.read(), p.view(), {m.view(), v.view(), &largest});
    CAPTURE(isa);
    CHECK(worst(most, [](Index i) { return i == 1 || i == 2 ? kNaN : 2; }) == 0);
  }
}

TEST_CASE("kernels: a step of SGD", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const bool momentum = GENERATE(false, true), nesterov = GENERATE(false, true), maximize = GENERATE(false, true);
  const Layout layout = GENERATE(Layout::contiguous, Layout::gaps);
  const lora::kernels::SgdStep step{0.3, 0.9, 0.25, 0.1, nesterov, maximize};
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index n : kAwkward) {
      KernelArray g(dtype, {n}, layout), p(dtype, {n}), b(dtype, {n});
      g.scramble(1);
      p.scramble(2);
      b.scramble(3);
      const KernelArray p0 = p, b0 = b;
      const lora::View buffer = b.view();
      k->sgd_step(Context{}, step, g.read(), p.view(), momentum ? &buffer : nullptr);
      const auto grad = [&](Index i) { return (maximize ? -1 : 1) * g.get(i) + 0.1 * p0.get(i); };
      CAPTURE(isa, dtype, momentum, nesterov, maximize, n);
      REQUIRE(worst(b, [&](Index i) { return momentum ? 0.9 * b0.get(i) + 0.75 * grad(i) : b0.get(i); }) <= rounding(dtype));
      REQUIRE(worst(p, [&](Index i) {
                const double with = nesterov ? grad(i) + 0.9 * b.get(i) : b.get(i);
                return p0.get(i) - 0.3 * (momentum ? with : grad(i));
              }) <= rounding(dtype));
    }
  }
}

TEST_CASE("kernels: sums of powers and the largest magnitude", "[kernels]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Layout layout = GENERATE(Layout::contiguous, Layout::reversed, Layout::gaps);
  const double p = GENERATE(1.0, 2.0, 3.0, 0.5, kInf);
  for (const auto& [isa, k] : kernel_tables()) {
    for (const Index n : {0, 1, 31, 32, 33, 1025, 70000}) {
      KernelArray x(dtype, {2, n}, layout), y(DType::f64, {1});
      x.scramble(4);
      y.scramble(5);
      k->abs_power_sum(Context{}, p, x.read(), y.view());
      double want = 0;
      for (Index i = 0; i < 2 * n; ++i) {
        want = std::isinf(p) ? std::max(want, std::abs(x.get(i))) : want + std::pow(std::abs(x.get(i)), p);
      }
      CAPTURE(isa, dtype, p, n, static_cast<int>(layout));
      REQUIRE(worst(y, [&](Index) { return want; }) <= 1e-12);  // both sums round in f64, up to 140000 times
    }
  }
}

TEST_CASE("kernels: sums of powers neither overflow f32 nor lose NaN and infinities", "[kernels]") {
  const double p = GENERATE(1.0, 2.0, 3.0, kInf);
  const Index n = GENERATE(1, 5, 40, 70000);
  for (const auto& [isa, table] : kernel_tables()) {
    const lora::kernels::KernelTable* k = table;
    KernelArray x(DType::f32, {n}), y(DType::f64, {1});
    for (const Index at : {Index{0}, n / 2, n - 1}) {
      const auto sum_with = [&](double odd) {
        x.fill_by([&](Index i) { return i == at ? odd : 0.5; });
        k->abs_power_sum(Context{}, p, x.read(), y.view());
        return y.get(0);
      };
      CAPTURE(isa, p, n, at);
      CHECK(std::isnan(sum_with(kNaN)));
      CHECK(sum_with(-kInf) == kInf);
      CHECK(std::isfinite(sum_with(-1e30)));
    }
  }
}

TEST_CASE("kernels: sums of powers have the same bits for any number of threads", "[kernels][threads]") {
  const int before = lora::num_threads();
  for (const auto& [isa, k] : cpu_tables()) {
    KernelArray x(DType::f32, {300000}), one(DType::f64, {1}), y(DType::f64, {1});
    x.scramble(6);
    for (const int threads : {1, 2, 3}) {
      lora::set_num_threads(threads);
      k->abs_power_sum(Context{}, 2, x.read(), threads == 1 ? one.view() : y.view());
      CAPTURE(isa, threads);
      CHECK((threads == 1 || y.bytes() == one.bytes()));
    }
  }
  lora::set_num_threads(before);
}
