#include "core/print.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/ops/convert.hpp"
#include "core/ops/view.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

std::string printed(const std::vector<double>& values, DType dtype = DType::f32) {
  return to_string(to(from_values(values, {static_cast<Index>(values.size())}), dtype));
}

const double kNaN = std::nan("");
const double kInf = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("print: real numbers have one notation for all", "[print]") {
  CHECK(printed({1, 2, 3}) == "tensor([1., 2., 3.])");
  CHECK(printed({1, 2.5, -3}) == "tensor([ 1.0000,  2.5000, -3.0000])");
  CHECK(printed({1e-5, 1}) == "tensor([1.0000e-05, 1.0000e+00])");
  CHECK(printed({1, 1e9}) == "tensor([1.0000e+00, 1.0000e+09])");
  CHECK(printed({0.001, 10}) == "tensor([1.0000e-03, 1.0000e+01])");
  CHECK(printed({1e6, 1}) == "tensor([1.0000e+06, 1.0000e+00])");
  CHECK(printed({0, 0}) == "tensor([0., 0.])");
  CHECK(printed({-0.0, 1}) == "tensor([-0.,  1.])");
  CHECK(printed({1.5, kNaN, -kInf}) == "tensor([1.5000,    nan,   -inf])");
  CHECK(printed({kNaN}) == "tensor([nan])");
  CHECK(printed({1e300, -1e-300}, DType::f64) == "tensor([ 1.0000e+300, -1.0000e-300], dtype=f64)");
  CHECK(to_string(full({}, 3)) == "tensor(3.)");
  CHECK(to_string(full({}, 2.5)) == "tensor(2.5000)");
}

TEST_CASE("print: every dtype has its form and, where it is unusual, its name", "[print]") {
  CHECK(printed({1, 20, -3}, DType::i64) == "tensor([ 1, 20, -3])");
  CHECK(printed({1, 2}, DType::u8) == "tensor([1, 2], dtype=u8)");
  CHECK(printed({1, -2}, DType::i32) == "tensor([ 1, -2], dtype=i32)");
  CHECK(printed({1, 0}, DType::boolean) == "tensor([ True, False])");
  CHECK(printed({1.25, -1.5}, DType::bf16) == "tensor([ 1.2500, -1.5000], dtype=bf16)");
  CHECK(printed({1.25}, DType::f16) == "tensor([1.2500], dtype=f16)");
  const std::vector<std::int64_t> exact{std::numeric_limits<std::int64_t>::max()};
  CHECK(to_string(from_values(exact, {1})) == "tensor([9223372036854775807])");
}

TEST_CASE("print: rows stand below each other", "[print]") {
  CHECK(to_string(t(reshape(arange(4), {2, 2}))) == "tensor([[0, 2],\n        [1, 3]])");
  CHECK(to_string(reshape(arange(8), {2, 2, 2})) == "tensor([[[0, 1],\n         [2, 3]],\n\n        [[4, 5],\n         [6, 7]]])");
  CHECK(to_string(arange(30, DType::f32)) ==
        "tensor([ 0.,  1.,  2.,  3.,  4.,  5.,  6.,  7.,  8.,  9., 10., 11., 12., 13.,\n"
        "        14., 15., 16., 17., 18., 19., 20., 21., 22., 23., 24., 25., 26., 27.,\n"
        "        28., 29.])");
  CHECK(to_string(expand(ones({1}), {2, 1})) == "tensor([[1.],\n        [1.]])");
}

TEST_CASE("print: large tensors are abbreviated to the ends of their axes", "[print]") {
  CHECK(to_string(arange(1001)) == "tensor([   0,    1,    2,  ...,  998,  999, 1000])");
  CHECK(to_string(arange(1000)).find("...") == std::string::npos);
  CHECK(to_string(reshape(arange(1200), {2, 2, 300})) ==
        "tensor([[[   0,    1,    2,  ...,  297,  298,  299],\n         [ 300,  301,  302,  ...,  597,  598,  599]],\n\n"
        "        [[ 600,  601,  602,  ...,  897,  898,  899],\n         [ 900,  901,  902,  ..., 1197, 1198, 1199]]])");
  CHECK(to_string(reshape(arange(1100), {1100, 1})) ==
        "tensor([[   0],\n        [   1],\n        [   2],\n        ...,\n        [1097],\n        [1098],\n        [1099]])");
  CHECK_THAT(to_string(expand(ones({1}), {Index{1} << 40})), Contains("[1., 1., 1.,  ..., 1., 1., 1.]"));
  CHECK(to_string(arange(1200, DType::f32)).find("e+03") != std::string::npos);
  const Tensor small = reshape(arange(16), {4, 4});
  PrintOptions options;
  options.threshold = 1;
  options.edge_items = 1;
  CHECK(to_string(small, options) == "tensor([[ 0,  ...,  3],\n        ...,\n        [12,  ..., 15]])");
}

TEST_CASE("print: no elements, no tensor, other precision", "[print]") {
  CHECK(to_string(zeros({0})) == "tensor([])");
  CHECK(to_string(zeros({0, 3}, DType::f64)) == "tensor([], size=[0,3], dtype=f64)");
  CHECK(to_string(Tensor()) == "undefined tensor");
  PrintOptions options;
  options.precision = 1;
  CHECK(to_string(full({1}, 0.25, DType::f64), options) == "tensor([0.2], dtype=f64)");
  options.line_width = 1;
  CHECK(to_string(arange(2), options) == "tensor([0,\n        1])");
  options.precision = -1;
  CHECK_THAT(error_of([&] { (void)to_string(ones({1}), options); }), Contains("[to_string]") && Contains("-1"));
  options = {};
  options.edge_items = 0;
  CHECK_THAT(error_of([&] { (void)to_string(ones({1}), options); }), Contains("[to_string]") && Contains("edge_items"));
  Tensor leaf = ones({2});
  leaf.requires_grad_();
  CHECK(to_string(leaf) == "tensor([1., 1.])");
}
