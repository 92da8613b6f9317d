// Elementwise rows of the CUDA table in bf16: what f32 gives for the same numbers, rounded once.

#include <catch2/catch.hpp>
#include <cmath>

#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::Context;
using lora::test::KernelArray;
using lora::test::Layout;

namespace {

constexpr Index kSizes[] = {1, 33, 1025};

/// An operand in both types, of numbers that bf16 has exactly, within 0.5 .. 2.5.
struct Operand {
  KernelArray half, single;

  Operand(Index n, int salt, Layout layout) : half(DType::bf16, {n}, layout), single(DType::f32, {n}, layout) {
    half.scramble(salt);
    half.fill_by([this](Index i) { return 1.5 + half.get(i); });
    single.fill_by([this](Index i) { return half.get(i); });
  }
};

/// Calls row(operand) for operands in bf16 and in f32, each with its result.
template <class Row>
void check_rounded(Index n, const Row& row) {
  const Layout layout = n == 33 ? Layout::gaps : Layout::contiguous;
  Operand a(n, 1, layout), b(n, 2, layout), c(n, 3, Layout::contiguous);
  KernelArray half(DType::bf16, {n}), single(DType::f32, {n});
  row(a.half, b.half, c.half, half);
  row(a.single, b.single, c.single, single);
  for (Index i = 0; i < n; ++i) {
    // One rounding to 8 bits; of f32 the compiler may contract products otherwise in each of the two.
    CAPTURE(n, i, half.get(i), single.get(i));
    REQUIRE(std::abs(half.get(i) - single.get(i)) <= 0x1.01p-8 * std::abs(single.get(i)));
  }
}

}  // namespace

TEST_CASE("kernels: functions of one number in bf16 round f32 once", "[kernels]") {
  if (!lora::cuda_available()) {
    return;
  }
  const auto& k = lora::test::staged_cuda_table();
  const Index n = GENERATE(from_range(std::begin(kSizes), std::end(kSizes)));
  using lora::kernels::UnaryOp;
#define LORA_ENTRY(op) UnaryOp::op,
  for (const UnaryOp op : {LORA_UNARY_OPS(LORA_ENTRY)}) {
#undef LORA_ENTRY
    CAPTURE(static_cast<int>(op));
    check_rounded(n, [&](auto& a, auto&, auto&, auto& y) { k.unary(Context{}, op, a.read(), y.view()); });
    check_rounded(n, [&](auto& a, auto& b, auto&, auto& gx) { k.unary_grad(Context{}, op, a.read(), a.read(), b.read(), gx.view()); });
  }
  check_rounded(n, [&](auto& a, auto&, auto&, auto& y) { k.affine(Context{}, 0.75, 0.125, a.read(), y.view()); });
  using lora::kernels::ParamOp;
#define LORA_ENTRY(op) ParamOp::op,
  for (const ParamOp op : {LORA_PARAM_OPS(LORA_ENTRY)}) {
#undef LORA_ENTRY
    CAPTURE(static_cast<int>(op));
    check_rounded(n, [&](auto& a, auto&, auto&, auto& y) { k.param(Context{}, {op, 1.0, 2.0}, a.read(), y.view()); });
    check_rounded(n, [&](auto& a, auto& b, auto&, auto& gx) { k.param_grad(Context{}, {op, 1.0, 2.0}, a.read(), b.read(), gx.view()); });
  }
}

TEST_CASE("kernels: functions of two numbers in bf16 round f32 once", "[kernels]") {
  if (!lora::cuda_available()) {
    return;
  }
  const auto& k = lora::test::staged_cuda_table();
  const Index n = GENERATE(from_range(std::begin(kSizes), std::end(kSizes)));
  using lora::kernels::BinaryOp;
#define LORA_ENTRY(op) BinaryOp::op,
  for (const BinaryOp op : {LORA_BINARY_OPS(LORA_ENTRY)}) {
#undef LORA_ENTRY
    CAPTURE(static_cast<int>(op));
    check_rounded(n, [&](auto& a, auto& b, auto&, auto& y) { k.binary(Context{}, op, a.read(), b.read(), y.view()); });
    for (const int operand : {0, 1}) {
      check_rounded(n, [&](auto& a, auto& b, auto& c, auto& gx) {
        k.binary_grad(Context{}, {op, operand}, a.read(), b.read(), c.read(), gx.view());
      });
    }
  }
  check_rounded(n, [&](auto& a, auto& b, auto&, auto& loss) { k.bce_with_logits(Context{}, a.read(), b.read(), loss.view()); });
  check_rounded(n, [&](auto&, auto&, auto& c, auto& y) { k.dropout(Context{}, {9, 2, 7}, 0.3, c.read(), y.view()); });
}
