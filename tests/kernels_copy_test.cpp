// Copies between arrays whose axes lie in different orders in memory, for the kernels of every instruction set and device.

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <vector>

#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::Context;
using lora::test::kernel_tables;
using lora::test::KernelArray;
using lora::test::worst;

namespace {

/// Strides of `shape` with the axes in memory in the order given, every `gap`-th element used.
Shape strides_in(const Shape& shape, const std::vector<int>& order, Index gap) {
  Shape strides = shape;
  Index step = gap;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    strides[*axis] = step;
    step *= shape[*axis];
  }
  return strides;
}

std::vector<int> axes_of(const Shape& shape) {
  std::vector<int> axes(static_cast<std::size_t>(shape.ndim()));
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

}  // namespace

TEST_CASE("kernels: copies between any orders of the axes, with tiles and their ends", "[kernels]") {
  const DType dtype = GENERATE(DType::f64, DType::f32, DType::bf16, DType::u8);  // each size of an element
  const Shape shape = GENERATE(Shape{64, 45}, Shape{16, 32}, Shape{40, 33, 17}, Shape{2, 33, 40});
  const Index gap = GENERATE_COPY(from_range(dtype == DType::f32 ? std::vector<Index>{1, 2} : std::vector<Index>{1}));
  std::vector<int> in = axes_of(shape);
  do {
    std::vector<int> out = axes_of(shape);
    do {
      KernelArray x(dtype, shape, strides_in(shape, in, 1));
      x.fill_by([](Index i) { return static_cast<double>(i * 37 % 251); });
      for (const auto& [isa, k] : kernel_tables()) {
        KernelArray y(dtype, shape, strides_in(shape, out, gap)), want = y;
        want.fill_by([&](Index i) { return x.get(i); });
        k->copy(Context{}, x.read(), y.view());
        CAPTURE(isa, dtype, shape, gap, in, out);
        REQUIRE(y.bytes() == want.bytes());
      }
    } while (std::next_permutation(out.begin(), out.end()));
  } while (std::next_permutation(in.begin(), in.end()));
}

TEST_CASE("kernels: copies without gaps move every byte whatever their alignment", "[kernels]") {
  const DType dtype = GENERATE(DType::u8, DType::bf16, DType::f32, DType::f64);
  const Index n = GENERATE(1, 2, 3, 7, 8, 24, 1000, 1023, 8200);
  const Index from = GENERATE(0, 1, 2, 4), to = GENERATE(0, 1, 4);
  const auto size = static_cast<Index>(itemsize(dtype));
  for (const auto& [isa, k] : kernel_tables()) {
    KernelArray x(dtype, {from + n}), y(dtype, {to + n}), want = y;
    x.fill_by([](Index i) { return static_cast<double>(i * 37 % 251); });
    for (Index i = 0; i < n; ++i) {
      want.set(to + i, x.get(from + i));
    }
    const lora::ConstView in(x.bytes().data() + from * size, dtype, {n}, {1});
    k->copy(Context{}, in, {static_cast<unsigned char*>(y.view().data) + to * size, dtype, {n}, {1}});
    CAPTURE(isa, dtype, n, from, to);
    REQUIRE(y.bytes() == want.bytes());
  }
}
