#include "core/ops/join.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "core/ops/convert.hpp"
#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Values = std::vector<std::int64_t>;

namespace {

constexpr DType kAll[] = {DType::f32, DType::f64, DType::bf16, DType::f16, DType::u8, DType::i32, DType::i64, DType::boolean};
constexpr Index kMax = std::numeric_limits<Index>::max(), kMin = std::numeric_limits<Index>::min();

Values values(const Tensor& x) { return x.to_vector<std::int64_t>(); }

}  // namespace

TEST_CASE("join: cat, stack and pad put values of every type where they belong", "[join]") {
  for (const DType dtype : kAll) {
    INFO(dtype);
    const Tensor a = to(reshape(arange(4), {2, 2}), dtype), b = ones({2, 1}, dtype), n = to(a, DType::i64);
    const auto at = [&](Index i) { return values(n)[static_cast<std::size_t>(i)]; };
    CHECK(values(cat({a, b}, 1)) == Values{at(0), at(1), 1, at(2), at(3), 1});
    CHECK(values(cat({t(a), t(b)})) == Values{at(0), at(2), at(1), at(3), 1, 1});
    CHECK(values(stack({a, t(a)}, -1)) == Values{at(0), at(0), at(1), at(2), at(2), at(1), at(3), at(3)});
    CHECK(values(pad(a, {1, 0, 0, 1}, 1.0)) == Values{1, at(0), at(1), 1, at(2), at(3), 1, 1, 1});
    CHECK(values(pad(a, {-1, 1})) == Values{at(1), 0, at(3), 0});
    CHECK(cat({a, b}, -1).dtype() == dtype);
    CHECK(pad(a, {1, 1}).dtype() == dtype);
  }
  CHECK(values(pad(reshape(arange(2), {1, 1, 2}), {0, 0, 0, 0, 1, 0}, 7)) == Values{7, 7, 0, 1});
}

TEST_CASE("join: results are copies", "[join]") {
  const Tensor x = ones({2, 2});
  for (const Tensor& y : {cat({x}), pad(x, {}), pad(x, {-1, 0}), stack({x})}) {
    CHECK(y.storage() != x.storage());
  }
}

TEST_CASE("join: tensors of shape [0] go with all", "[join]") {
  const Tensor none = zeros({0}), x = ones({2, 3});
  CHECK(cat({none, x, none}, 1).shape() == Shape{2, 3});
  CHECK(cat({none, none}).shape() == Shape{0});
  CHECK(cat({zeros({2, 0}), x}, 1).shape() == Shape{2, 3});
  Tensor leaf = zeros({0}).requires_grad_();
  cat({leaf, x}).backward(ones({2, 3}));
  CHECK(leaf.grad().shape() == Shape{0});
  CHECK_THAT(error_of([&] { (void)cat({x, zeros({0, 3, 1})}); }), Contains("[cat] tensor 1"));
}

TEST_CASE("join: images that are channels-last stay so", "[join]") {
  const Tensor image = channels_last(random({2, 3, 4, 5})), plain = random({2, 1, 4, 5});
  CHECK(cat({image, image}, 1).strides() == channels_last_strides({2, 6, 4, 5}));
  CHECK(cat({plain, image}, 1).strides() == channels_last_strides({2, 4, 4, 5}));
  CHECK(cat({image, image}, 0).strides() == channels_last_strides({4, 3, 4, 5}));
  CHECK(cat({contiguous(image), plain}, 1).is_contiguous());
  CHECK(cat({channels_last(plain), channels_last(plain)}, 1).is_contiguous());  // one channel: row-major too
  CHECK(pad(image, {1, 1, 2, 2}).strides() == channels_last_strides({2, 3, 8, 7}));
  CHECK(pad(contiguous(image), {1, 1, 2, 2}).is_contiguous());
  CHECK(same_bits(pad(image, {1, 1, 2, 2}, 3.0), pad(contiguous(image), {1, 1, 2, 2}, 3.0)));
  Tensor leaf = channels_last(random({2, 3, 4, 5}));
  CHECK(cat({expand(zeros({1, 3, 1, 1}, DType::f64), {2, 3, 4, 5}), leaf}).shape() == Shape{4, 3, 4, 5});
}

TEST_CASE("join: an input that takes no part costs no gradient, others get theirs", "[join]") {
  Tensor a = ones({2, 2}).requires_grad_();
  const Tensor b = ones({2, 3});
  cat({b, a, b, a}, 1).backward(reshape(to(arange(20), DType::f32), {2, 10}));
  CHECK(a.grad().to_vector<float>() == std::vector<float>{3 + 8, 4 + 9, 13 + 18, 14 + 19});
  CHECK_FALSE(cat({b, b}).requires_grad());
}

TEST_CASE("join: what does not fit is an error that names it", "[join]") {
  const Tensor x = ones({2, 3});
  CHECK_THAT(error_of([] { (void)cat({}); }), Contains("[cat]") && Contains("at least one"));
  CHECK_THAT(error_of([] { (void)stack({}); }), Contains("[stack]") && Contains("at least one"));
  CHECK_THAT(error_of([&] {
               (void)cat({x, x, ones({2, 2})});
             }),
             Contains("[cat] tensor 2") && Contains("f32[2,2]@cpu") && Contains("axis 0"));
  CHECK_THAT(error_of([&] { (void)cat({x, ones({2})}); }), Contains("[cat] tensor 1") && Contains("f32[2]@cpu"));
  CHECK_THAT(error_of([&] {
               (void)cat({x, ones({2, 3}, DType::f64)});
             }),
             Contains("f64[2,3]@cpu") && Contains("f32[2,3]@cpu") && Contains("to()"));
  CHECK_THAT(error_of([&] { (void)cat({x, zeros({0}, DType::i64)}); }), Contains("i64[0]@cpu"));
  CHECK_THAT(error_of([&] { (void)cat({x, x}, 2); }), Contains("[cat]") && Contains("axis 2"));
  CHECK_THAT(error_of([] { (void)cat({ones({}), ones({})}); }), Contains("[cat]"));
  CHECK(error_of([&] { (void)cat({x, Tensor()}); }) != "no error");
  CHECK_THAT(error_of([&] { (void)stack({x, ones({3, 2})}); }), Contains("[stack] tensor 1") && Contains("f32[3,2]@cpu"));
  CHECK_THAT(error_of([&] { (void)stack({x, zeros({0})}); }), Contains("[stack] tensor 1"));
  CHECK_THAT(error_of([&] { (void)stack({x}, 3); }), Contains("[stack]") && Contains("axis 3"));
  const Tensor endless = expand(ones({}), {kMax / 2});
  CHECK_THAT(error_of([&] { (void)cat({endless, endless, endless}); }), Contains("[cat]") && Contains("too many"));
}

TEST_CASE("join: pads that cannot be are errors", "[join]") {
  const Tensor x = ones({2, 3});
  CHECK_THAT(error_of([&] { (void)pad(x, {1}); }), Contains("[pad]") && Contains("1 numbers"));
  CHECK_THAT(error_of([&] { (void)pad(x, {1, 1, 1, 1, 1, 1}); }), Contains("[pad]") && Contains("f32[2,3]@cpu"));
  CHECK_THAT(error_of([&] { (void)pad(x, {-2, -2}); }), Contains("[pad]") && Contains("axis 1"));
  CHECK_THAT(error_of([&] { (void)pad(x, {-4, 9}); }), Contains("axis 1"));
  CHECK_THAT(error_of([&] { (void)pad(x, {0, 0, kMin, 0}); }), Contains("axis 0"));
  CHECK_THAT(error_of([&] { (void)pad(x, {kMax, kMax}); }), Contains("too many"));
  CHECK_THAT(error_of([&] { (void)pad(x, {kMax - 3, 0}); }), Contains("too many"));
  CHECK(pad(ones({}), {}).item<float>() == 1.0f);
}
