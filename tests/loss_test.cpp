// What losses do where the op table cannot look: ignored rows, values that are not finite, nothing, and wrong use.

#include "core/ops/loss.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/autograd.hpp"
#include "core/base/threads.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/reduce.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Values = std::vector<double>;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor integers(const std::vector<std::int64_t>& values) { return from_values(values, {static_cast<Index>(values.size())}); }

Tensor leaf(const Values& values, const Shape& shape) {
  Tensor x = from_values(values, shape);
  x.requires_grad_();
  return x;
}

CrossEntropyOptions with(double smoothing, Reduction reduction) { return {smoothing, -100, reduction}; }

}  // namespace

TEST_CASE("loss: cross entropy where every row is ignored, or there is none", "[loss]") {
  for (const double smoothing : {0.0, 0.1, 1.0}) {
    const Tensor x = leaf({1, 2, 3, 0, -1, 2}, {2, 3}), ignored = integers({-100, -100});
    const Tensor mean = cross_entropy(x, ignored, with(smoothing, Reduction::mean));
    CHECK(std::isnan(mean.item<double>()));
    mean.backward();
    CHECK(x.grad().to_vector<double>() == Values(6, 0.0));
    CHECK(cross_entropy(x, ignored, with(smoothing, Reduction::sum)).item<double>() == 0);
    CHECK(cross_entropy(x, ignored, with(smoothing, Reduction::none)).to_vector<double>() == Values{0, 0});
    const Tensor none = empty({0, 3}, DType::f64), no_rows = integers({});
    CHECK(std::isnan(cross_entropy(none, no_rows, with(smoothing, Reduction::mean)).item<double>()));
    CHECK(cross_entropy(none, no_rows, with(smoothing, Reduction::sum)).item<double>() == 0);
    CHECK(cross_entropy(none, no_rows, with(smoothing, Reduction::none)).shape() == Shape{0});
    CHECK(cross_entropy(empty({2, 0}), ignored, with(smoothing, Reduction::sum)).item<double>() == 0);
  }
}

TEST_CASE("loss: the mean of cross entropy counts the rows that are not ignored", "[loss]") {
  const Tensor x = random({4, 5}), target = integers({1, -100, 4, -100});
  for (const double smoothing : {0.0, 0.2}) {
    const double total = cross_entropy(x, target, with(smoothing, Reduction::sum)).item<double>();
    CHECK(cross_entropy(x, target, with(smoothing, Reduction::mean)).item<double>() == Approx(total / 2).epsilon(1e-15));
  }
  // a class may be the one that is ignored, and the caller's targets stay as they are
  const Tensor classes = integers({1, 3, 4, 3});
  CHECK(same_bits(cross_entropy(x, classes, {0.0, 3}), cross_entropy(x, target)));
  CHECK(classes.to_vector<Index>() == std::vector<Index>{1, 3, 4, 3});
}

TEST_CASE("loss: cross entropy of infinite logits", "[loss]") {
  const Tensor x = leaf({-kInf, 1, 2, 1, -kInf, 1, kInf, 0, 0, -kInf, -kInf, -kInf}, {4, 3});
  const Tensor y = cross_entropy(x, integers({0, 0, 1, 2}), with(0, Reduction::none));
  const Values loss = y.to_vector<double>();
  CHECK(loss[0] == kInf);
  CHECK(loss[1] == Approx(std::log(2.0)));
  CHECK(std::isnan(loss[2]));
  CHECK(std::isnan(loss[3]));
  sum(y).backward();
  const Values grad = x.grad().to_vector<double>();
  CHECK(grad[0] == -1);
  CHECK(grad[4] == 0);
  CHECK(std::isnan(grad[6]));
}

TEST_CASE("loss: cross entropy says what is wrong", "[loss]") {
  const Tensor x = ones({2, 3});
  CHECK_THAT(error_of([&] { (void)cross_entropy(x, integers({0, 3})); }), Contains("target 3 in row 1") && Contains("classes 0..2"));
  CHECK_THAT(error_of([&] { (void)cross_entropy(x, integers({-1, 0})); }), Contains("target -1 in row 0") && Contains("-100"));
  CHECK_THAT(error_of([&] { (void)cross_entropy(x, integers({-100, 0}), {0.0, -1}); }), Contains("target -100 in row 0"));
  CHECK_THAT(error_of([&] { (void)cross_entropy(x, integers({0})); }), Contains("f32[2,3]@cpu") && Contains("i64[1]@cpu"));
  CHECK_THAT(error_of([&] { (void)cross_entropy(x, zeros({2})); }), Contains("f32[2]@cpu"));
  CHECK_THAT(error_of([&] { (void)cross_entropy(ones({3}), integers({0, 1, 2})); }), Contains("[N,C,..]"));
  CHECK_THAT(error_of([&] { (void)cross_entropy(ones({2, 3, 4}), zeros({4, 2}, DType::i64)); }), Contains("i64[4,2]@cpu"));
  CHECK_THAT(error_of([&] { (void)cross_entropy(x, integers({0, 1}), {1.5}); }), Contains("label_smoothing 1.5"));
  CHECK_THAT(error_of([&] { (void)cross_entropy(x, integers({0, 1}), {std::nan("")}); }), Contains("label_smoothing"));
  CHECK_THAT(error_of([&] { (void)cross_entropy(to(x, DType::i64), integers({0, 1})); }), Contains("i64[2,3]@cpu"));
}

TEST_CASE("loss: losses of pairs", "[loss]") {
  const Tensor x = leaf({1, -2, 0, 3}, {2, 2}), target = leaf({1, 0, 2, -1}, {2, 2});
  CHECK(mse_loss(x, target).item<double>() == 6);
  CHECK(mse_loss(x, target, Reduction::none).to_vector<double>() == Values{0, 4, 4, 16});
  CHECK(l1_loss(x, target).item<double>() == 2);
  CHECK(l1_loss(x, target, Reduction::none).to_vector<double>() == Values{0, 2, 2, 4});
  l1_loss(x, target, Reduction::sum).backward();
  CHECK(x.grad().to_vector<double>() == Values{0, -1, -1, 1});
  CHECK(target.grad().to_vector<double>() == Values{0, 1, 1, -1});
  const Tensor none = empty({0}, DType::f64);
  for (const auto loss : {mse_loss, l1_loss, binary_cross_entropy_with_logits}) {
    CHECK(std::isnan(loss(none, none, Reduction::mean).item<double>()));
    CHECK(loss(none, none, Reduction::sum).item<double>() == 0);
    CHECK(loss(none, none, Reduction::none).shape() == Shape{0});
    CHECK_THAT(error_of([&] { (void)loss(ones({2}), ones({2, 1}), Reduction::sum); }), Contains("f32[2]@cpu and f32[2,1]@cpu"));
    CHECK_THAT(error_of([&] { (void)loss(ones({2}), ones({2}, DType::f64), Reduction::sum); }), Contains("differ in dtype"));
  }
}

TEST_CASE("loss: binary cross entropy of large logits", "[loss]") {
  const Tensor x = leaf({1000, -1000, -40, 1000}, {4}), target = leaf({1, 0, 0, 0}, {4});
  const Tensor y = binary_cross_entropy_with_logits(x, target, Reduction::none);
  CHECK(y.to_vector<double>()[0] == 0);
  CHECK(y.to_vector<double>()[1] == 0);
  CHECK(y.to_vector<double>()[2] == Approx(std::exp(-40.0)).epsilon(1e-14));
  CHECK(y.to_vector<double>()[3] == 1000);
  sum(y).backward();
  CHECK(x.grad().to_vector<double>()[3] == 1);
  CHECK(target.grad().to_vector<double>() == Values{-1000, 1000, 40, -1000});
}

TEST_CASE("loss: the same bits for any number of threads", "[loss][threads]") {
  Tensor x = to(random({30000, 11}, -5, 5), DType::f32);
  x.requires_grad_();
  std::vector<std::int64_t> labels;
  for (Index i = 0; i < 30000; ++i) {
    labels.push_back(i % 13 == 0 ? -100 : i % 11);
  }
  const int before = num_threads();
  Tensor value, grad;
  for (const int threads : {1, 2, 3}) {
    set_num_threads(threads);
    x.set_grad({});
    const Tensor y = cross_entropy(x, integers(labels), with(0.1, Reduction::mean));
    y.backward();
    CHECK((threads == 1 || (same_bits(y, value) && same_bits(x.grad(), grad))));
    value = y.detach();
    grad = x.grad();
  }
  set_num_threads(before);
}
