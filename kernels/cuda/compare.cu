// Rows compare and where.

#include "kernels/cuda/convert.hpp"
#include "kernels/cuda/elementwise.hpp"
#include "kernels/cuda/visit_op.hpp"

namespace lora::kernels::cuda {

namespace {

template <class T>
__global__ void compare_kernel(Layout<3> at, CompareOp op, const T* a, const T* b, bool* y) {
  const Elements<3> mine(at);
  Wide<T> va[kPerThread] = {}, vb[kPerThread] = {};
  mine.each([&](int j) {
    va[j] = widened(a[mine.in<1>(j)]);
    vb[j] = widened(b[mine.in<2>(j)]);
  });
  visit_op(op, [&]<class Op>(Tag<Op>) { mine.each([&](int j) { y[mine.in<0>(j)] = Op::value(va[j], vb[j]); }); });
}

/// Moves bits. Reads both values, as a choice between addresses would wait for the condition first.
template <class Bits>
__global__ void where_kernel(Layout<4> at, const Truth* condition, const Bits* a, const Bits* b, Bits* y) {
  const Elements<4> mine(at);
  Bits va[kPerThread] = {}, vb[kPerThread] = {};
  mine.load<2>(a, va);
  mine.load<3>(b, vb);
  mine.each([&](int j) {
    if (condition[mine.in<1>(j)].byte == 0) {
      va[j] = vb[j];
    }
  });
  mine.store(va, y);
}

}  // namespace

void compare(const Context& context, CompareOp op, const ConstView& a, const ConstView& b, const View& y) {
  const Layout<3> at = make_layout<3>(y.shape, {&y.strides, &a.strides, &b.strides});
  visit_dtype(a.dtype, [&]<class T>(Tag<T>) {
    using Element = InMemory<T>;
    launch_elements(context, Row::compare, at, compare_kernel<Element>, op, a.ptr<Element>(), b.ptr<Element>(), y.ptr<bool>());
  });
}

void where(const Context& context, const ConstView& condition, const ConstView& a, const ConstView& b, const View& y) {
  const Layout<4> at = make_layout<4>(y.shape, {&y.strides, &condition.strides, &a.strides, &b.strides});
  visit_bits(itemsize(y.dtype), [&]<class Bits>(Tag<Bits>) {
    launch_elements(context, Row::where, at, where_kernel<Bits>, condition.ptr<Truth>(), a.ptr<Bits>(), b.ptr<Bits>(), y.ptr<Bits>());
  });
}

}  // namespace lora::kernels::cuda
