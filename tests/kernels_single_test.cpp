// One element alone, for rows whose other tests have none.

#include <catch2/catch.hpp>

#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::CompareOp;
using lora::kernels::Context;
using lora::kernels::Pool2dShape;
using lora::kernels::ReduceOp;
using lora::test::kernel_tables;
using lora::test::KernelArray;
using lora::test::worst;

namespace {

KernelArray single(DType dtype, double value, const Shape& shape = {1}) {
  return KernelArray(dtype, shape).fill_by([=](Index) { return value; });
}

bool is(const KernelArray& y, double value) {
  return worst(y, [=](Index) { return value; }) == 0;
}

}  // namespace

TEST_CASE("kernels: filling, comparing and choosing one element", "[kernels]") {
  for (const auto& [isa, k] : kernel_tables()) {
    CAPTURE(isa);
    KernelArray a = single(DType::f32, 2), b = single(DType::f32, 3), y = single(DType::f32, 0), less = single(DType::boolean, 0),
                first = single(DType::i64, 7);
    k->fill(Context{}, 1.5, y.view());
    CHECK(is(y, 1.5));
    k->compare(Context{}, CompareOp::lt, a.read(), b.read(), less.view());
    CHECK(is(less, 1));
    k->where(Context{}, less.read(), a.read(), b.read(), y.view());
    CHECK(is(y, 2));
    KernelArray row = single(DType::f32, 4, {1, 1});
    k->arg_reduce(Context{}, ReduceOp::max, row.read(), first.view());
    CHECK(is(first, 0));
  }
}

TEST_CASE("kernels: pooling one element", "[kernels][pool]") {
  const Shape shape{1, 1, 1, 1};
  const Pool2dShape pool{1, 1, {1, 1, 1, 1, 0, 1}, {1, 1, 1, 1, 0, 1}, false};
  for (const auto& [isa, k] : kernel_tables()) {
    CAPTURE(isa);
    KernelArray x = single(DType::f32, -2, shape), gy = single(DType::f32, 3, shape), y = single(DType::f32, 0, shape),
                gx = single(DType::f32, 0, shape), number = single(DType::u8, 9, shape);
    const lora::View argmax = number.view();
    k->max_pool2d(Context{}, pool, x.read(), &argmax, y.view());
    k->max_pool2d_grad(Context{}, pool, number.read(), gy.read(), gx.view());
    CHECK((is(y, -2) && is(number, 0) && is(gx, 3)));
    k->avg_pool2d(Context{}, pool, false, x.read(), y.view());
    k->avg_pool2d_grad(Context{}, pool, false, gy.read(), gx.view());
    CHECK((is(y, -2) && is(gx, 3)));
  }
}

TEST_CASE("kernels: softmax of one element", "[kernels]") {
  for (const auto& [isa, k] : kernel_tables()) {
    CAPTURE(isa);
    KernelArray x = single(DType::f32, 5, {1, 1}), y = single(DType::f32, 0, {1, 1}), no = single(DType::boolean, 0, {1, 1});
    k->masked_softmax(Context{}, false, x.read(), nullptr, y.view());
    CHECK(is(y, 1));
    const lora::ConstView mask = no.read();
    k->masked_softmax(Context{}, true, x.read(), &mask, y.view());
    CHECK(is(y, 0));
  }
}
