// The rows gather and scatter_add of the kernel table against plain loops, for every instruction set that the machine has and for CUDA.

#include <catch2/catch.hpp>
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
using lora::test::kLayouts;
using lora::test::Layout;
using lora::test::worst;

namespace {

constexpr DType kAllTypes[] = {DType::f32, DType::f64, DType::bf16, DType::f16, DType::u8, DType::i32, DType::i64, DType::boolean};

/// One problem: `k` picks on axis `dim` of x. With `same` there is one index for all elements at a place of the axis.
struct Problem {
  Shape shape;
  int dim;
  Index k;
  bool same;

  Shape picked() const {
    Shape out = shape;
    out[dim] = k;
    return out;
  }
};

const std::vector<Problem> kProblems = {
    {{7}, 0, 5, false},         {{1}, 0, 1, true},           {{5, 3}, 0, 0, true},       {{5, 0}, 0, 4, true},
    {{7, 1}, 0, 9, true},       {{7, 33}, 0, 20, true},      {{7, 33}, 0, 20, false},    {{33, 7}, 1, 20, false},
    {{33, 7}, 1, 20, true},     {{6, 4, 17}, 1, 3, true},    {{6, 4, 17}, 1, 30, false}, {{3, 4, 5}, 2, 7, false},
    {{9, 100}, 0, 1000, true},  {{2, 1025}, 0, 40, true},    {{1025, 5}, 1, 8, false},   {{40, 3}, 0, 20000, true},
    {{40, 3}, 0, 20000, false}, {{1, 6, 1}, 1, 70000, true}, {{2, 3, 2, 3}, 2, 4, true},
};

/// Index (11 i + 3) mod n for element i, or for place i of the axis.
KernelArray index_of(const Problem& p) {
  Shape strides = lora::contiguous_strides(p.picked());
  for (int i = 0; p.same && i < strides.ndim(); ++i) {
    strides[i] = i == p.dim ? 2 : 0;
  }
  KernelArray index(DType::i64, p.picked(), strides);
  const Index inner = lora::contiguous_strides(p.picked())[p.dim];
  return index.fill_by([&](Index i) { return static_cast<double>((11 * (p.same ? i / inner % p.k : i) + 3) % p.shape[p.dim]); });
}

/// The row-major number in x of what element i of the picked shape refers to.
Index source(const Problem& p, const KernelArray& index, Index i) {
  const Index inner = lora::contiguous_strides(p.shape)[p.dim];
  const Index outer = i / (inner * p.k), rest = i % inner;
  return (outer * p.shape[p.dim] + static_cast<Index>(index.get(i))) * inner + rest;
}

}  // namespace

TEST_CASE("kernels: elements are gathered in every layout", "[kernels]") {
  for (const Problem& p : kProblems) {
    const KernelArray index = index_of(p);
    for (const auto& [isa, k] : kernel_tables()) {
      for (const DType dtype : kAllTypes) {
        for (const Layout layout : kLayouts) {
          KernelArray x(dtype, p.shape, layout), y(dtype, p.picked(), layout == Layout::gaps ? Layout::reversed : layout);
          x.fill_by([](Index i) { return static_cast<double>(i % 100); });
          k->gather(Context{}, p.dim, x.read(), index.read(), y.view());
          CAPTURE(isa, dtype, p.shape, p.dim, p.k, p.same, static_cast<int>(layout));
          REQUIRE(worst(y, [&](Index i) { return x.get(source(p, index, i)); }) == 0);
        }
      }
    }
  }
}

TEST_CASE("kernels: what is scattered is added in order, in every layout", "[kernels]") {
  for (const Problem& p : kProblems) {
    const KernelArray index = index_of(p);
    for (const Layout layout : kLayouts) {
      KernelArray x(DType::f64, p.picked(), layout), want(DType::f64, p.shape);
      x.scramble(8);
      want.scramble(9);
      for (Index i = 0; i < x.numel(); ++i) {
        const Index at = source(p, index, i);
        want.set(at, want.get(at) + x.get(i));
      }
      for (const auto& [isa, k] : kernel_tables()) {
        KernelArray y(DType::f64, p.shape, layout == Layout::contiguous ? Layout::gaps : Layout::reversed);
        y.scramble(9);
        k->scatter_add(Context{}, p.dim, index.read(), x.read(), y.view());
        CAPTURE(isa, p.shape, p.dim, p.k, p.same, static_cast<int>(layout));
        REQUIRE(worst(y, [&](Index i) { return want.get(i); }) == 0);  // the same additions in the same order
      }
    }
  }
}

TEST_CASE("kernels: a part of x is gathered from and added to", "[kernels]") {
  for (const auto& [isa, k] : kernel_tables()) {
    KernelArray x(DType::f32, {3, 5}), y(DType::f32, {2, 3}), index(DType::i64, {2, 3});
    x.fill_by([](Index i) { return static_cast<double>(i); });
    index.fill_by([](Index i) { return static_cast<double>(i % 2 == 0 ? 4 : 0); });
    k->gather(Context{}, 1, x.read(), index.read(), y.view());
    CHECK(worst(y, [](Index i) { return static_cast<double>(i / 3 * 5 + (i % 2 == 0 ? 4 : 0)); }) == 0);
    k->scatter_add(Context{}, 1, index.read(), y.read(), x.view());
    const std::vector<double> want = {0, 1, 2, 3, 12, 15, 6, 7, 8, 18, 10, 11, 12, 13, 14};
    CAPTURE(isa, x.get(0), x.get(4), x.get(5), x.get(9));
    CHECK(worst(x, [&](Index i) { return want[static_cast<std::size_t>(i)]; }) == 0);
  }
}

TEST_CASE("kernels: scattered sums have the same bits for any number of threads", "[kernels][threads]") {
  for (const Problem& p : kProblems) {
    const KernelArray index = index_of(p);
    KernelArray x(DType::f32, p.picked());
    x.scramble(5);
    for (const auto& [isa, k] : cpu_tables()) {
      KernelArray reference(DType::f32, p.shape);
      const int before = lora::num_threads();
      for (const int threads : {1, 2, 3}) {
        lora::set_num_threads(threads);
        KernelArray y(DType::f32, p.shape);
        k->scatter_add(Context{}, p.dim, index.read(), x.read(), threads == 1 ? reference.view() : y.view());
        CHECK((threads == 1 || y.bytes() == reference.bytes()));
      }
      lora::set_num_threads(before);
    }
  }
}
