// What the CUDA rows of products do beyond those of the CPU: bf16, and the choice between our kernels and NVIDIA's libraries. On a machine
// without CUDA there is nothing to test.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cuda/product_choice.hpp"
#include "tests/support/kernel_array.hpp"

using lora::ConstView;
using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::Context;
using lora::kernels::Conv2dShape;
using lora::kernels::KernelTable;
using lora::kernels::WindowAxis;
using lora::kernels::cuda::Products;
using lora::test::KernelArray;
using lora::test::Layout;
using lora::test::worst;

namespace {

/// Null without CUDA.
const KernelTable* cuda_table() { return lora::cuda_available() ? &lora::test::staged_cuda_table() : nullptr; }

/// Who multiplies, until the end of a test.
class Chosen {
 public:
  explicit Chosen(Products choice) { lora::kernels::cuda::products() = choice; }
  ~Chosen() { lora::kernels::cuda::products() = before_; }
  Chosen(const Chosen&) = delete;
  Chosen& operator=(const Chosen&) = delete;

 private:
  Products before_ = lora::kernels::cuda::products();
};

struct Sizes {
  Index batch, m, n, k;
};

Index up(Index size) { return (size + 7) / 8 * 8; }

/// Row-major and transposed, as they come, with rows that begin at multiples of 16 bytes, with gaps everywhere, and with rows that repeat.
std::vector<Shape> operand_strides(Index rows, Index columns) {
  return {{rows * columns, columns, 1},
          {rows * columns, 1, rows},
          {up(rows) * up(columns), up(columns), 1},
          {0, 1, up(rows)},
          {3 * rows * columns, 3, 3 * rows},
          {0, 0, 1}};
}

/// The product in f64, element by element.
std::vector<double> product_of(const KernelArray& a, const KernelArray& b, const Sizes& s) {
  std::vector<double> product;
  for (Index at = 0; at < s.batch * s.m * s.n; ++at) {
    const Index j = at % s.n, i = at / s.n % s.m, batch = at / s.n / s.m;
    double sum = 0;
    for (Index p = 0; p < s.k; ++p) {
      sum += a.get((batch * s.m + i) * s.k + p) * b.get((batch * s.k + p) * s.n + j);
    }
    product.push_back(sum);
  }
  return product;
}

/// Largest error of -1.5 a b + addend. @param product  of a and b
double worst_of_gemm(const KernelArray& a, const KernelArray& b, const std::vector<double>& product, DType result,
                     const Shape& addend_strides) {
  const Sizes s{a.shape()[0], a.shape()[1], b.shape()[2], a.shape()[2]};
  KernelArray addend(result, {s.batch, s.m, s.n}, addend_strides), c(result, {s.batch, s.m, s.n});
  addend.scramble(3);
  c.fill_by([](Index) { return std::numeric_limits<double>::quiet_NaN(); });
  const ConstView view = addend.read();
  cuda_table()->gemm(Context{}, -1.5, a.read(), b.read(), &view, c.view());
  return worst(c, [&](Index i) { return addend.get(i) - 1.5 * product[static_cast<std::size_t>(i)]; });
}

/// A sum of k products below 1.5 that is rounded to f32 at each, and in the end to bf16.
double tolerance(DType result, Index k) { return (result == DType::bf16 ? 0x1p-8 : 0) + 0x1p-22 * (8 + static_cast<double>(k)); }

}  // namespace

TEST_CASE("gemm: bf16 operands of every layout are summed in f32", "[gemm][cuda]") {
  if (cuda_table() == nullptr) {
    return;
  }
  const DType result = GENERATE(DType::f32, DType::bf16);
  const Sizes s = GENERATE(Sizes{1, 1, 1, 1}, Sizes{2, 3, 5, 7}, Sizes{1, 15, 16, 17}, Sizes{1, 33, 31, 64}, Sizes{3, 1, 40, 9},
                           Sizes{2, 65, 4, 100}, Sizes{1, 130, 40, 72}, Sizes{1, 129, 40, 0}, Sizes{1, 4, 140, 33});
  for (const Shape& sa : operand_strides(s.m, s.k)) {
    for (const Shape& sb : operand_strides(s.k, s.n)) {
      KernelArray a(DType::bf16, {s.batch, s.m, s.k}, sa), b(DType::bf16, {s.batch, s.k, s.n}, sb);
      a.scramble(1);
      b.scramble(2);
      const std::vector<double> product = product_of(a, b, s);
      for (const Products who : {Products::own, Products::library}) {
        const Chosen chosen(who);
        CAPTURE(static_cast<int>(who), result, s.batch, s.m, s.n, s.k, sa, sb);
        REQUIRE(worst_of_gemm(a, b, product, result, {0, 0, 1}) <= tolerance(result, s.k));
      }
    }
  }
}

TEST_CASE("gemm: our kernels and the library make the same products of f32", "[gemm][cuda]") {
  if (cuda_table() == nullptr) {
    return;
  }
  const Sizes s = GENERATE(Sizes{1, 1, 1, 1}, Sizes{3, 5, 9, 4}, Sizes{1, 17, 100, 33}, Sizes{1, 130, 140, 129});
  for (const Shape& sa : operand_strides(s.m, s.k)) {
    KernelArray a(DType::f32, {s.batch, s.m, s.k}, sa), b(DType::f32, {s.batch, s.k, s.n});
    a.scramble(1);
    b.scramble(2);
    const std::vector<double> product = product_of(a, b, s);
    for (const Products who : {Products::own, Products::library, Products::automatic}) {
      const Chosen chosen(who);
      for (const Shape& addend : {Shape{0, 0, 1}, Shape{s.m * s.n, 1, s.m}}) {
        CAPTURE(static_cast<int>(who), s.batch, s.m, s.n, s.k, sa, addend);
        REQUIRE(worst_of_gemm(a, b, product, DType::f32, addend) <= tolerance(DType::f32, s.k));
      }
    }
  }
}

namespace {

/// What the three rows give, without an addend and with scale 0.5.
struct Convolved {
  KernelArray y, gx, gw;

  Convolved(const KernelTable& table, const Conv2dShape& s, const KernelArray& x, const KernelArray& w, const KernelArray& gy)
      : y(gy.read().dtype, gy.shape(), lora::channels_last_strides(gy.shape())),
        gx(gy.read().dtype, x.shape(), lora::channels_last_strides(x.shape())),
        gw(gy.read().dtype, w.shape()) {
    table.conv2d(Context{}, s, 0.5, x.read(), w.read(), nullptr, y.view());
    table.conv2d_grad_input(Context{}, s, 0.5, w.read(), gy.read(), gx.view());
    table.conv2d_grad_weight(Context{}, s, 0.5, x.read(), gy.read(), gw.view());
  }
};

/// The same elements in another dtype.
KernelArray as(DType dtype, const KernelArray& from, const Shape& strides) {
  return KernelArray(dtype, from.shape(), strides).fill_by([&](Index i) { return from.get(i); });
}

KernelArray scrambled(const Shape& shape, const Shape& strides, int salt) {
  return KernelArray(DType::bf16, shape, strides).scramble(salt);
}

}  // namespace

TEST_CASE("kernels: convolution of bf16 is that of f32, rounded", "[kernels][conv][cuda]") {
  if (cuda_table() == nullptr) {
    return;
  }
  const WindowAxis one{1, 1, 1, 1, 0, 1}, h{9, 5, 3, 2, 1, 1}, w{8, 8, 3, 1, 1, 1};
  const Products who = GENERATE(Products::own, Products::library);
  const Conv2dShape s = GENERATE_COPY(Conv2dShape{1, 1, 1, 1, one, one}, Conv2dShape{2, 16, 24, 1, h, w}, Conv2dShape{1, 6, 9, 3, h, w},
                                      Conv2dShape{3, 64, 72, 1, w, w});
  const Chosen chosen(who);
  const Shape xs{s.batch, s.in_channels, s.h.in, s.w.in}, ys{s.batch, s.out_channels, s.h.out, s.w.out};
  const Shape ws{s.out_channels, s.in_channels / s.groups, s.h.kernel, s.w.kernel};
  const KernelArray x = scrambled(xs, lora::channels_last_strides(xs), 1), weight = scrambled(ws, lora::contiguous_strides(ws), 2),
                    gy = scrambled(ys, lora::channels_last_strides(ys), 3);
  const auto wide = [](const KernelArray& a) { return as(DType::f32, a, a.read().strides); };
  const Convolved found(*cuda_table(), s, x, weight, gy), found_wide(*cuda_table(), s, wide(x), wide(weight), wide(gy));
  const Convolved want(*lora::test::cpu_tables().front().second, s, wide(x), wide(weight), wide(gy));
  CAPTURE(static_cast<int>(who), s.in_channels, s.out_channels, s.groups);
  const double rounded = 0x1p-7, summed = 0x1p-18;  // to bf16; a few hundred terms in f32, in another order
  const auto differ = [](const KernelArray& a, const KernelArray& b) { return worst(a, [&](Index i) { return b.get(i); }); };
  CHECK(differ(found.y, want.y) <= rounded);
  CHECK(differ(found.gx, want.gx) <= rounded);
  CHECK(differ(found.gw, want.gw) <= rounded);
  CHECK(differ(found_wide.y, want.y) <= summed);
  CHECK(differ(found_wide.gx, want.gx) <= summed);
  CHECK(differ(found_wide.gw, want.gw) <= summed);
}
