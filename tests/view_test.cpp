#include "core/ops/view.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "core/ops/convert.hpp"
#include "core/ops/reduce.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Values = std::vector<std::int64_t>;

namespace {

constexpr Index kMax = std::numeric_limits<Index>::max(), kMin = std::numeric_limits<Index>::min();

std::vector<Shape> shapes(const std::vector<Tensor>& pieces) {
  std::vector<Shape> out;
  for (const Tensor& piece : pieces) {
    out.push_back(piece.shape());
  }
  return out;
}

}  // namespace

TEST_CASE("view: slices take what Python's would", "[view]") {
  const Tensor x = arange(6);
  const auto sliced = [&](Index start, Index end, Index step = 1) { return slice(x, 0, start, end, step).to_vector<std::int64_t>(); };
  CHECK(sliced(1, 4) == Values{1, 2, 3});
  CHECK(sliced(-2, kMax) == Values{4, 5});
  CHECK(sliced(0, -1) == Values{0, 1, 2, 3, 4});
  CHECK(sliced(-100, 2) == Values{0, 1});
  CHECK(sliced(4, 2).empty());
  CHECK(sliced(7, 9).empty());
  CHECK(sliced(0, -7).empty());
  CHECK(sliced(kMin, kMax, 2) == Values{0, 2, 4});
  CHECK(sliced(1, 6, 2) == Values{1, 3, 5});
  CHECK(sliced(1, 5, 2) == Values{1, 3});
  CHECK(sliced(5, 6, kMax) == Values{5});
  CHECK(sliced(0, 6, kMax) == Values{0});
  CHECK(sliced(kMin, kMin).empty());
  CHECK(slice(x, 0, 1, 6, 2).storage() == x.storage());
  const Tensor matrix = reshape(arange(12), {3, 4});
  CHECK(slice(t(matrix), 0, 1, 4, 2).to_vector<std::int64_t>() == Values{1, 5, 9, 3, 7, 11});
  CHECK(slice(slice(matrix, 1, 0, 4, 2), 0, 1, 3).to_vector<std::int64_t>() == Values{4, 6, 8, 10});
  CHECK_THAT(error_of([&] { (void)slice(x, 0, 0, 6, 0); }), Contains("[slice]") && Contains("got 0"));
  CHECK_THAT(error_of([&] { (void)slice(x, 0, 5, 0, -1); }), Contains("[slice]") && Contains("got -1"));
  CHECK_THAT(error_of([&] { (void)slice(x, 1, 0, 1); }), Contains("[slice]") && Contains("axis 1"));
}

TEST_CASE("view: select counts from both ends and drops the axis", "[view]") {
  const Tensor x = reshape(arange(6), {2, 3});
  CHECK(select(x, 0, 1).to_vector<std::int64_t>() == Values{3, 4, 5});
  CHECK(select(x, -1, -3).to_vector<std::int64_t>() == Values{0, 3});
  CHECK(select(select(x, 0, 1), 0, 2).item<std::int64_t>() == 5);
  CHECK_THAT(error_of([&] { (void)select(x, 1, 3); }), Contains("[select] index 3 is outside axis 1 of i64[2,3]@cpu"));
  CHECK_THAT(error_of([&] { (void)select(x, 0, -3); }), Contains("[select] index -3"));
  CHECK_THAT(error_of([&] { (void)select(zeros({0}), 0, 0); }), Contains("[select] index 0"));
  CHECK_THAT(error_of([] { (void)select(ones({}), 0, 0); }), Contains("[select]"));
}

TEST_CASE("view: pieces cover the axis in order", "[view]") {
  const Tensor x = reshape(arange(14), {7, 2});
  CHECK(shapes(split(x, 3)) == std::vector<Shape>{{3, 2}, {3, 2}, {1, 2}});
  CHECK(shapes(split(x, kMax)) == std::vector<Shape>{{7, 2}});
  CHECK(split(x, 3)[1].to_vector<std::int64_t>() == Values{6, 7, 8, 9, 10, 11});
  CHECK(shapes(split_with_sizes(x, {2, 0, 5})) == std::vector<Shape>{{2, 2}, {0, 2}, {5, 2}});
  CHECK(shapes(chunk(x, 3)) == std::vector<Shape>{{3, 2}, {3, 2}, {1, 2}});
  CHECK(shapes(chunk(x, 5)) == std::vector<Shape>{{2, 2}, {2, 2}, {2, 2}, {1, 2}});  // not 5: as PyTorch
  CHECK(shapes(chunk(x, 100, -1)) == std::vector<Shape>{{7, 1}, {7, 1}});
  const Tensor none = zeros({0, 2});
  CHECK(shapes(split(none, 3)) == std::vector<Shape>{{0, 2}});
  CHECK(shapes(split(none, 0)) == std::vector<Shape>{{0, 2}});
  CHECK(shapes(chunk(none, 2)) == std::vector<Shape>{{0, 2}, {0, 2}});
  CHECK(shapes(split_with_sizes(none, {})).empty());
  CHECK_THAT(error_of([&] { (void)split(x, 0); }), Contains("[split]") && Contains("i64[7,2]@cpu"));
  CHECK_THAT(error_of([&] { (void)split(x, -1); }), Contains("[split]"));
  CHECK_THAT(error_of([&] { (void)chunk(x, 0); }), Contains("[chunk]") && Contains("got 0"));
  CHECK_THAT(error_of([&] { (void)split_with_sizes(x, {3, 3}); }), Contains("[split_with_sizes]") && Contains("leave out 1"));
  CHECK_THAT(error_of([&] { (void)split_with_sizes(x, {3, 5}); }), Contains("piece of 5") && Contains("4 elements left"));
  CHECK_THAT(error_of([&] { (void)split_with_sizes(x, {8, -1}); }), Contains("[split_with_sizes]"));
  CHECK_THAT(error_of([&] { (void)split(x, 1, 2); }), Contains("[split]") && Contains("axis 2"));
}

TEST_CASE("view: axes are moved, joined and taken apart without a copy", "[view]") {
  const Tensor x = zeros({2, 3, 4});
  CHECK(movedim(x, 0, 2).shape() == Shape{3, 4, 2});
  CHECK(movedim(x, -1, 0).shape() == Shape{4, 2, 3});
  CHECK(movedim(x, 1, 1).strides() == x.strides());
  CHECK(expand(zeros({2, 1}), {5, -1, 3}).shape() == Shape{5, 2, 3});
  CHECK(squeeze(zeros({1, 2, 1, 1})).shape() == Shape{2});
  CHECK(squeeze(ones({1, 1})).item<float>() == 1.0f);
  CHECK(squeeze(x, 1).shape() == x.shape());
  const Tensor apart = unflatten(transpose(x, 0, 2), 0, {2, -1});
  CHECK(apart.shape() == Shape{2, 2, 3, 2});
  CHECK(apart.storage() == x.storage());
  CHECK_THAT(error_of([&] { (void)unflatten(x, 1, {2, 2}); }), Contains("[unflatten]") && Contains("f32[2,3,4]@cpu"));
  CHECK_THAT(error_of([&] { (void)unflatten(x, 1, {}); }), Contains("[unflatten]"));
  CHECK_THAT(error_of([&] { (void)unflatten(x, 1, {3, -1, -1}); }), Contains("[unflatten]"));
  CHECK_THAT(error_of([] { (void)unflatten(zeros({0, 3}), 0, {0, kMax}); }), Contains("too many elements"));
}

TEST_CASE("view: the gradient of a slice is zero where nothing was taken", "[view]") {
  Tensor x = empty_channels_last({2, 3, 4, 4});
  x.fill_(1.0);
  x.requires_grad_();
  slice(x, 2, 0, 4, 2).backward(channels_last(ones({2, 3, 2, 4})));
  CHECK(sum(x.grad()).item<double>() == 48);
  CHECK(sum(slice(x.grad(), 2, 1, 4, 2)).item<double>() == 0);
}
