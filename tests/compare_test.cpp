#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "core/autograd.hpp"
#include "core/ops/compare.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"

using namespace lora;
using Catch::Matchers::Contains;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

using Bits = std::vector<int>;

Bits bits(const Tensor& mask) {
  REQUIRE(mask.dtype() == DType::boolean);
  return mask.to_vector<int>();
}

Tensor doubles(const std::vector<double>& values) { return from_values(values, {static_cast<Index>(values.size())}); }

}  // namespace

TEST_CASE("compare: NaN differs from everything and has no order", "[compare]") {
  const Tensor a = doubles({1, 2, 2, kNaN, kNaN, 0.0, kInf}), b = doubles({2, 1, 2, 1, kNaN, -0.0, kInf});
  CHECK(bits(eq(a, b)) == Bits{0, 0, 1, 0, 0, 1, 1});
  CHECK(bits(ne(a, b)) == Bits{1, 1, 0, 1, 1, 0, 0});
  CHECK(bits(lt(a, b)) == Bits{1, 0, 0, 0, 0, 0, 0});
  CHECK(bits(le(a, b)) == Bits{1, 0, 1, 0, 0, 1, 1});
  CHECK(bits(gt(a, b)) == Bits{0, 1, 0, 0, 0, 0, 0});
  CHECK(bits(ge(a, b)) == Bits{0, 1, 1, 0, 0, 1, 1});
}

TEST_CASE("compare: shapes broadcast and layouts stay", "[compare]") {
  const Tensor column = reshape(doubles({0, 1, 2}), {3, 1}), row = doubles({0, 1});
  CHECK(bits(le(column, row)) == Bits{1, 1, 0, 1, 0, 0});
  CHECK(lt(zeros({0, 3}), zeros({3})).shape() == Shape{0, 3});
  CHECK(bits(eq(zeros({}), 0)) == Bits{1});
  const Tensor image = empty_channels_last({2, 3, 4, 5});
  CHECK(ge(image, 0).strides() == image.strides());
  CHECK(where(ge(image, 0), image, 0).strides() == image.strides());
}

TEST_CASE("compare: numbers are rounded to floating dtypes", "[compare]") {
  CHECK(bits(eq(full({1}, 0.1), 0.1)) == Bits{1});
  CHECK(bits(eq(full({1}, 0.1, DType::bf16), 0.1)) == Bits{1});
  CHECK(bits(lt(doubles({0, 0.1, 0.2}), 0.1)) == Bits{1, 0, 0});
  CHECK(bits(gt(doubles({0, kNaN, 0.2}), 0.1)) == Bits{0, 0, 1});
}

TEST_CASE("compare: integers are compared with the number itself", "[compare]") {
  const Tensor small = from_values(std::vector<std::uint8_t>{0, 2, 3, 255}, {4});
  CHECK(bits(lt(small, 2.5)) == Bits{1, 1, 0, 0});
  CHECK(bits(eq(small, 2.5)) == Bits{0, 0, 0, 0});
  CHECK(bits(ge(small, -1)) == Bits{1, 1, 1, 1});
  CHECK(bits(le(small, 300)) == Bits{1, 1, 1, 1});
  CHECK(bits(eq(small, 256)) == Bits{0, 0, 0, 0});
  CHECK(bits(ne(small, kNaN)) == Bits{1, 1, 1, 1});
  const std::int64_t largest = std::numeric_limits<std::int64_t>::max(), exact = (std::int64_t{1} << 53);
  const Tensor large = from_values(std::vector<std::int64_t>{-largest - 1, exact, exact + 1, largest}, {4});
  CHECK(bits(eq(large, 0x1p53)) == Bits{0, 1, 0, 0});
  CHECK(bits(eq(large, 0x1p63)) == Bits{0, 0, 0, 0});
  CHECK(bits(lt(large, 0x1p63)) == Bits{1, 1, 1, 1});
  CHECK(bits(ge(large, -0x1p63)) == Bits{1, 1, 1, 1});
  CHECK(bits(eq(large, -0x1p63)) == Bits{1, 0, 0, 0});
  CHECK(bits(gt(large, -kInf)) == Bits{1, 1, 1, 1});
  CHECK(bits(gt(to(small, DType::boolean), 0.5)) == Bits{0, 1, 1, 1});
}

TEST_CASE("compare: NaN and infinities are found", "[compare]") {
  const Tensor x = doubles({0, kNaN, kInf, -kInf});
  CHECK(bits(isnan(x)) == Bits{0, 1, 0, 0});
  CHECK(bits(isinf(x)) == Bits{0, 0, 1, 1});
  CHECK(bits(isfinite(x)) == Bits{1, 0, 0, 0});
  CHECK(bits(isfinite(zeros({2}, DType::i64))) == Bits{1, 1});
}

TEST_CASE("compare: logic", "[compare]") {
  const Tensor a = doubles({0, 0, 2, kNaN}), b = from_values(std::vector<std::int64_t>{0, 3, 0, 1}, {4});
  CHECK(bits(logical_not(a)) == Bits{1, 1, 0, 0});
  CHECK(bits(logical_and(a, b)) == Bits{0, 0, 0, 1});
  CHECK(bits(logical_or(a, b)) == Bits{0, 1, 1, 1});
  CHECK(bits(logical_xor(a, b)) == Bits{0, 1, 1, 0});
}

TEST_CASE("compare: masks take no part in gradients", "[compare]") {
  Tensor x = doubles({-1, 2});
  x.requires_grad_();
  CHECK_FALSE(gt(x, 0).requires_grad());
  where(gt(x, 0), x, mul(x, x)).backward(ones({2}, DType::f64));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{-2, 1});
}

TEST_CASE("compare: where keeps NaN of the other side out of the gradient", "[compare]") {
  Tensor x = doubles({0, 4});
  x.requires_grad_();
  where(gt(x, 1), x, masked_fill(x, gt(x, 1), kNaN)).backward(ones({2}, DType::f64));
  CHECK(x.grad().to_vector<double>() == std::vector<double>{1, 1});
}

TEST_CASE("compare: where moves any dtype", "[compare]") {
  const Tensor mask = eq(arange(3), 1);
  CHECK(where(mask, 7.0, arange(3)).to_vector<int>() == std::vector<int>{0, 7, 2});
  CHECK(bits(where(mask, mask, logical_not(mask))) == Bits{1, 1, 1});
  CHECK(where(mask, to(arange(3), DType::f16), 9.0).dtype() == DType::f16);
}

TEST_CASE("compare: a mask that is changed before backward is noticed", "[compare]") {
  Tensor x = doubles({1, 2}), mask = gt(x, 1);
  x.requires_grad_();
  const Tensor y = where(mask, x, 0);
  mask.fill_(1);
  CHECK_THROWS_WITH(y.backward(ones({2}, DType::f64)), Contains("[where]") && Contains("changed in place"));
}

TEST_CASE("compare: wrong operands are refused", "[compare]") {
  const Tensor x = ones({2}), mask = eq(x, 1);
  CHECK_THROWS_WITH(lt(x, arange(2)), Contains("[lt]") && Contains("differ in dtype"));
  CHECK_THROWS_WITH(gt(x, ones({3})), Contains("[gt]"));
  CHECK_THROWS_WITH(where(x, x, x), Contains("[where]") && Contains("bool mask"));
  CHECK_THROWS_WITH(where(mask, x, arange(2)), Contains("differ in dtype"));
  CHECK_THROWS_WITH(where(mask, ones({3}), 1), Contains("[where]"));
  CHECK_THROWS_WITH(masked_fill(x, x, 1), Contains("[masked_fill]") && Contains("bool mask"));
  CHECK_THROWS_WITH(masked_fill(ones({1}), mask, 1), Contains("does not broadcast"));
}
