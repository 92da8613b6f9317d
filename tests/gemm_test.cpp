// The gemm kernel over shapes, layouts, batches and thread counts, for every instruction set that the machine has and for CUDA.

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/threads.hpp"
#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::Context;
using lora::test::cpu_tables;
using lora::test::kernel_tables;
using lora::test::KernelArray;

namespace {

struct Sizes {
  Index batch, m, n, k;
};

/// Strides of a [batch, rows, columns] operand: row-major, transposed, with room between rows, neither axis contiguous, one matrix for all.
std::vector<Shape> operand_strides(Index rows, Index columns) {
  return {{rows * columns, columns, 1},
          {rows * columns, 1, rows},
          {rows * (columns + 3), columns + 3, 1},
          {2 * rows * columns, 2 * columns, 2},
          {0, 1, rows}};
}

std::vector<Shape> addend_strides(Index m, Index n) { return {{m * n, n, 1}, {0, 0, 1}, {0, 1, 0}, {0, 0, 0}, {m * n, 1, m}}; }

double element(const KernelArray& a, Index batch, Index i, Index j) { return a.get((batch * a.shape()[1] + i) * a.shape()[2] + j); }

double naive(const KernelArray& a, const KernelArray& b, const Sizes& s, Index at) {
  const Index j = at % s.n, i = at / s.n % s.m, batch = at / s.n / s.m;
  double sum = 0;
  for (Index p = 0; p < s.k; ++p) {
    sum += element(a, batch, i, p) * element(b, batch, p, j);
  }
  return sum;
}

/// Largest |c - (alpha a b + addend)| for operands with elements below 1.
double worst(const KernelArray& c, const std::vector<double>& product, double alpha, const KernelArray* addend) {
  double result = 0;
  for (Index i = 0; i < c.numel(); ++i) {
    const double want = alpha * product[static_cast<std::size_t>(i)] + (addend != nullptr ? addend->get(i) : 0.0);
    const double off = std::abs(c.get(i) - want);
    result = off <= result ? result : off;
  }
  return result;
}

std::vector<double> product_of(const KernelArray& a, const KernelArray& b, const Sizes& s) {
  std::vector<double> product;
  for (Index i = 0; i < s.batch * s.m * s.n; ++i) {
    product.push_back(naive(a, b, s, i));
  }
  return product;
}

KernelArray junk(DType dtype, const Sizes& s) {
  KernelArray c(dtype, {s.batch, s.m, s.n});
  c.fill_by([](Index) { return std::numeric_limits<double>::quiet_NaN(); });
  return c;
}

/// Rounding of a sum of k products below 1.
double tolerance(DType dtype, Index k) { return (dtype == DType::f32 ? 0x1p-23 : 0x1p-52) * (8 + static_cast<double>(k)); }

}  // namespace

TEST_CASE("gemm: every layout of the operands", "[gemm]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Sizes s = GENERATE(Sizes{1, 1, 1, 1}, Sizes{2, 3, 5, 7}, Sizes{1, 33, 31, 17}, Sizes{3, 1, 40, 9}, Sizes{2, 40, 1, 9},
                           Sizes{2, 65, 4, 100}, Sizes{1, 4, 100, 65}, Sizes{1, 17, 64, 1}, Sizes{2, 9, 5, 300}, Sizes{1, 3, 70, 531});
  for (const Shape& sa : operand_strides(s.m, s.k)) {
    for (const Shape& sb : operand_strides(s.k, s.n)) {
      KernelArray a(dtype, {s.batch, s.m, s.k}, sa), b(dtype, {s.batch, s.k, s.n}, sb);
      a.scramble(1);
      b.scramble(2);
      const std::vector<double> product = product_of(a, b, s);
      for (const auto& [isa, k] : kernel_tables()) {
        KernelArray c = junk(dtype, s);
        k->gemm(Context{}, 1.0, a.read(), b.read(), nullptr, c.view());
        CAPTURE(isa, dtype, s.batch, s.m, s.n, s.k, sa, sb);
        REQUIRE(worst(c, product, 1.0, nullptr) <= tolerance(dtype, s.k));
      }
    }
  }
}

TEST_CASE("gemm: alpha and every kind of addend", "[gemm]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Sizes s = GENERATE(Sizes{2, 5, 9, 3}, Sizes{1, 64, 10, 64}, Sizes{1, 64, 64, 1}, Sizes{2, 3, 4, 0});
  KernelArray a(dtype, {s.batch, s.m, s.k}), b(dtype, {s.batch, s.k, s.n});
  a.scramble(1);
  b.scramble(2);
  const std::vector<double> product = product_of(a, b, s);
  for (const Shape& strides : addend_strides(s.m, s.n)) {
    KernelArray addend(dtype, {s.batch, s.m, s.n}, strides);
    addend.scramble(3);
    for (const auto& [isa, k] : kernel_tables()) {
      const lora::ConstView view = addend.read();
      KernelArray c = junk(dtype, s), plain = junk(dtype, s);
      k->gemm(Context{}, -1.5, a.read(), b.read(), &view, c.view());
      k->gemm(Context{}, 0.25, a.read(), b.read(), nullptr, plain.view());
      CAPTURE(isa, dtype, s.m, s.n, s.k, strides);
      REQUIRE(worst(c, product, -1.5, &addend) <= 2 * tolerance(dtype, s.k));
      REQUIRE(worst(plain, product, 0.25, nullptr) <= tolerance(dtype, s.k));
    }
  }
}

TEST_CASE("gemm: sizes of zero", "[gemm]") {
  const Sizes s = GENERATE(Sizes{0, 2, 3, 4}, Sizes{2, 0, 3, 4}, Sizes{2, 3, 0, 4}, Sizes{2, 3, 4, 0}, Sizes{0, 0, 0, 0});
  for (const auto& [isa, k] : kernel_tables()) {
    KernelArray a(DType::f32, {s.batch, s.m, s.k}), b(DType::f32, {s.batch, s.k, s.n}), c = junk(DType::f32, s);
    k->gemm(Context{}, 1.0, a.read(), b.read(), nullptr, c.view());
    CAPTURE(isa);
    CHECK(worst(c, product_of(a, b, s), 1.0, nullptr) == 0);
  }
}

TEST_CASE("gemm: NaN and infinity go through", "[gemm]") {
  for (const auto& [isa, k] : kernel_tables()) {
    KernelArray a(DType::f32, {1, 20, 30}), b(DType::f32, {1, 30, 20}), c(DType::f32, {1, 20, 20});
    a.scramble(1);
    b.fill_by([](Index) { return 0.0; });
    a.set(7 * 30 + 3, std::numeric_limits<double>::infinity());
    k->gemm(Context{}, 1.0, a.read(), b.read(), nullptr, c.view());
    CAPTURE(isa);
    CHECK(std::isnan(c.get(7 * 20 + 11)));
    CHECK(c.get(8 * 20 + 11) == 0);
  }
}

TEST_CASE("gemm: large products in pieces have the same bits for any number of threads", "[gemm]") {
  const Sizes s = GENERATE(Sizes{1, 64, 64, 784}, Sizes{1, 64, 784, 64}, Sizes{1, 300, 200, 150}, Sizes{1, 2000, 9, 64},
                           Sizes{1, 9, 2000, 64}, Sizes{5, 64, 64, 64}, Sizes{40, 16, 16, 16});
  const bool transposed = GENERATE(false, true);
  const Shape sa = operand_strides(s.m, s.k)[transposed ? 1 : 0], sb = operand_strides(s.k, s.n)[transposed ? 0 : 1];
  KernelArray a(DType::f32, {s.batch, s.m, s.k}, sa), b(DType::f32, {s.batch, s.k, s.n}, sb);
  a.scramble(1);
  b.scramble(2);
  const std::vector<double> product = product_of(a, b, s);
  const int before = lora::num_threads();
  for (const auto& [isa, k] : cpu_tables()) {
    lora::set_num_threads(1);
    KernelArray reference = junk(DType::f32, s);
    k->gemm(Context{}, 1.0, a.read(), b.read(), nullptr, reference.view());
    CAPTURE(isa, s.batch, s.m, s.n, s.k, transposed);
    REQUIRE(worst(reference, product, 1.0, nullptr) <= tolerance(DType::f32, s.k));
    for (const int threads : {2, 3}) {
      lora::set_num_threads(threads);
      KernelArray c = junk(DType::f32, s);
      k->gemm(Context{}, 1.0, a.read(), b.read(), nullptr, c.view());
      REQUIRE(c.bytes() == reference.bytes());
    }
  }
  lora::set_num_threads(before);
}
