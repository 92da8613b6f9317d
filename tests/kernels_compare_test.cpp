// Comparisons of numbers that are no ordinary ones, each alone, for the kernels of every instruction set and device.

#include <catch2/catch.hpp>
#include <limits>

#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::kernels::CompareOp;
using lora::kernels::Context;
using lora::test::kernel_tables;
using lora::test::KernelArray;

TEST_CASE("kernels: NaN, infinities and both zeros compare by the rules of floating point", "[kernels]") {
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
  const DType dtype = GENERATE(DType::f32, DType::f64, DType::bf16, DType::f16);
  for (const double a : {kNaN, -kInf, -1.0, -0.0, 0.0, 1.0, kInf}) {
    for (const double b : {kNaN, -kInf, -1.0, -0.0, 0.0, 1.0, kInf}) {
      const KernelArray x = KernelArray(dtype, {1}).fill_by([&](lora::Index) { return a; });
      const KernelArray y = KernelArray(dtype, {1}).fill_by([&](lora::Index) { return b; });
      for (const auto& [isa, k] : kernel_tables()) {
        KernelArray result(DType::boolean, {1});
        const auto holds = [&, table = k](CompareOp op) {
          table->compare(Context{}, op, x.read(), y.read(), result.view());
          return result.get(0) != 0;
        };
        CAPTURE(isa, dtype, a, b);
        CHECK(holds(CompareOp::eq) == (a == b));
        CHECK(holds(CompareOp::ne) == (a != b));
        CHECK(holds(CompareOp::lt) == (a < b));
        CHECK(holds(CompareOp::le) == (a <= b));
      }
    }
  }
}
