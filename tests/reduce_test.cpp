// What reductions do where the op table cannot look: ties, values that are not finite, nothing, and wrong use.

#include "core/ops/reduce.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "core/autograd.hpp"
#include "core/base/threads.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/softmax.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;
using Values = std::vector<double>;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Tensor leaf(const Values& values, const Shape& shape) {
  Tensor x = from_values(values, shape);
  x.requires_grad_();
  return x;
}

/// Equal, where NaN equals NaN.
bool same(const Values& a, const Values& b) {
  bool equal = a.size() == b.size();
  for (std::size_t i = 0; equal && i < a.size(); ++i) {
    equal = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
  }
  return equal;
}

struct Row {
  const char* name;
  std::function<Tensor(const Tensor&)> run;  // over axis 1 of [rows, 3]
  Values x, y, grad;                         // the gradient of the sum of y
};

const std::function<Tensor(const Tensor&)> kMax = [](const Tensor& x) { return amax(x, {1}); };
const std::function<Tensor(const Tensor&)> kMin = [](const Tensor& x) { return amin(x, {1}); };
const std::function<Tensor(const Tensor&)> kLse = [](const Tensor& x) { return logsumexp(x, {1}); };
const std::function<Tensor(const Tensor&)> kNorm1 = [](const Tensor& x) { return norm(x, 1, {1}); };
const std::function<Tensor(const Tensor&)> kNorm2 = [](const Tensor& x) { return norm(x, 2, {1}); };
const std::function<Tensor(const Tensor&)> kNormInf = [](const Tensor& x) { return norm(x, kInf, {1}); };
const std::function<Tensor(const Tensor&)> kStd = [](const Tensor& x) { return lora::std(x, {1}); };

}  // namespace

// The values are those that PyTorch 2 gives.
TEST_CASE("reduce: corners, ties and values that are not finite", "[reduce]") {
  const double third = 1.0 / 3.0;
  const std::vector<Row> rows{
      {"amax", kMax, {1, 3, 3, 3, 3, 3, -kInf, -kInf, -kInf}, {3, 3, -kInf}, {0, 0.5, 0.5, third, third, third, third, third, third}},
      {"amax NaN", kMax, {kNaN, 3, kNaN}, {kNaN}, {kNaN, kNaN, kNaN}},
      {"amin", kMin, {1, 1, 3, kInf, 2, kInf}, {1, 2}, {0.5, 0.5, 0, 0, 1, 0}},
      {"amin NaN", kMin, {1, kNaN, 3}, {kNaN}, {kNaN, kNaN, kNaN}},
      {"logsumexp -inf", kLse, {-kInf, -kInf, -kInf}, {-kInf}, {kNaN, kNaN, kNaN}},
      {"logsumexp inf", kLse, {kInf, 1, 2}, {kInf}, {kNaN, 0, 0}},
      {"logsumexp", kLse, {-kInf, 2, -kInf, 5, 1e4, -1e4}, {2, 1e4}, {0, 1, 0, 0, 1, 0}},
      {"logsumexp NaN", kLse, {1, kNaN, 2}, {kNaN}, {kNaN, kNaN, kNaN}},
      {"norm 1", kNorm1, {3, -4, 0, 0, 0, 0}, {7, 0}, {1, -1, 0, 0, 0, 0}},
      {"norm 2", kNorm2, {3, -4, 0, 0, 0, 0}, {5, 0}, {3.0 / 5.0, -4.0 / 5.0, 0, 0, 0, 0}},
      {"norm 2 NaN", kNorm2, {kInf, 1, kNaN}, {kNaN}, {kNaN, kNaN, kNaN}},
      {"norm inf", kNormInf, {3, -4, 0, 1, -1, 1, 0, 0, 0}, {4, 1, 0}, {0, -1, 0, third, -third, third, 0, 0, 0}},
      {"std", kStd, {1, 1, 1, 2, 3, 4}, {0, 1}, {0, 0, 0, -0.5, 0, 0.5}},
  };
  for (const Row& row : rows) {
    INFO(row.name);
    const Tensor x = leaf(row.x, {static_cast<Index>(row.x.size()) / 3, 3});
    const Tensor y = row.run(x);
    CHECK(same(y.to_vector<double>(), row.y));
    sum(y).backward();
    CHECK(same(x.grad().to_vector<double>(), row.grad));
  }
}

TEST_CASE("reduce: the variance of fewer elements than it is corrected for", "[reduce]") {
  const Tensor one = leaf({1, 2}, {2, 1}), two = leaf({1, 2, 2, 4}, {2, 2});
  CHECK(same(var(one, {1}).to_vector<double>(), {kNaN, kNaN}));
  CHECK(same(var(one, {1}, 0).to_vector<double>(), {0, 0}));
  CHECK(same(lora::std(one, {1}).to_vector<double>(), {kNaN, kNaN}));
  CHECK(same(var(two, {1}, 3).to_vector<double>(), {kInf, kInf}));
  CHECK(same(var(empty({2, 0}, DType::f64), {1}).to_vector<double>(), {kNaN, kNaN}));
  CHECK(var(empty({0, 2}, DType::f64), {1}).shape() == Shape{0});
  sum(lora::std(one, {1})).backward();
  CHECK(same(one.grad().to_vector<double>(), {kNaN, kNaN}));
  sum(var(two, {1}, 3)).backward();
  CHECK(same(two.grad().to_vector<double>(), {1, -1, 2, -2}));
}

TEST_CASE("reduce: a small spread around a large mean keeps its digits in f32", "[reduce]") {
  Values values;
  for (Index i = 0; i < 3000; ++i) {
    values.push_back(1e6 + (i % 3 == 0 ? 0.0 : 0.25));  // exact in f32, unlike the mean, 1e6 + 1/6
  }
  Tensor x = to(from_values(values, {3000}), DType::f32);
  x.requires_grad_();
  const Tensor y = var(x, {0}, 0);
  CHECK(std::abs(y.item<double>() - 1.0 / 72) <= 1e-9);  // the rounding of an f32 of that size
  y.backward();
  const Values grad = x.grad().to_vector<double>();
  for (std::size_t i = 0; i < grad.size(); ++i) {
    CHECK(std::abs(grad[i] - 2.0 / 3000 * (i % 3 == 0 ? -1.0 / 6 : 1.0 / 12)) <= 2e-11);  // likewise
  }
}

TEST_CASE("reduce: norms and sums of squares of f32 do not overflow on the way", "[reduce]") {
  CHECK(norm(full({4}, 1e30)).item<double>() == Approx(2e30));
  CHECK(norm(full({4}, 1e-30)).item<double>() == Approx(2e-30));
}

TEST_CASE("reduce: nothing and wrong use", "[reduce]") {
  const Tensor none = empty({2, 0}), x = ones({2, 3});
  CHECK_THAT(error_of([&] { (void)amax(none, {1}); }), Contains("[amax] axis 1 of f32[2,0]@cpu is empty"));
  CHECK_THAT(error_of([&] { (void)amin(none, {-1}); }), Contains("[amin] axis -1"));
  CHECK_THAT(error_of([&] { (void)norm(none, kInf, {1}); }), Contains("[norm] axis 1"));
  CHECK_THAT(error_of([&] { (void)argmin(none, 1); }), Contains("[argmin] axis 1"));
  CHECK(amax(none, {0}).shape() == Shape{0});
  CHECK(same(logsumexp(none, {1}).to_vector<double>(), {-kInf, -kInf}));
  CHECK(same(norm(none, 2, {1}).to_vector<double>(), {0, 0}));
  CHECK_THAT(error_of([&] { (void)amax(x, {2}); }), Contains("[amax]"));
  CHECK_THAT(error_of([&] { (void)var(x, {0, -2}); }), Contains("[var] axis 0 occurs twice"));
  CHECK_THAT(error_of([&] { (void)norm(x, 3.0, {0}); }), Contains("[norm] order 3"));
  CHECK_THAT(error_of([&] { (void)logsumexp(to(x, DType::i64), {0}); }), Contains("[logsumexp]") && Contains("i64[2,3]@cpu"));
  CHECK_THAT(error_of([&] { (void)softmax(x, 2); }), Contains("[softmax]"));
  CHECK_THAT(error_of([&] { (void)log_softmax(to(x, DType::bf16), 0); }), Contains("[log_softmax]") && Contains("bf16"));
  CHECK_THAT(error_of([&] { (void)softmax(ones({}), 1); }), Contains("[softmax]"));
}

TEST_CASE("reduce: softmax keeps the layout of images", "[reduce]") {
  const Tensor x = empty_channels_last({2, 3, 4, 5}).fill_(0.5);
  CHECK(softmax(x, 1).strides() == x.strides());
  CHECK(log_softmax(x, 2).strides() == x.strides());
}

TEST_CASE("reduce: softmax of long columns loses no digits in f32", "[reduce]") {
  const Tensor totals = sum(softmax(to(random({30000, 16}), DType::f32), 0), {0});
  CHECK(amax(totals).item<double>() - 1.0 <= 3e-7);  // a few roundings of f32; sums in f32 are off by 1e-5
  CHECK(1.0 - amin(totals).item<double>() <= 3e-7);
}

TEST_CASE("reduce: argmax and argmin along any axis", "[reduce]") {
  const Tensor x = from_values(Values{1, 5, 0, 4, 5, -1}, {2, 3});
  CHECK(argmin(x).to_vector<Index>() == std::vector<Index>{2, 2});
  CHECK(argmin(x, 0).to_vector<Index>() == std::vector<Index>{0, 0, 1});
  CHECK(argmax(x, 0).to_vector<Index>() == std::vector<Index>{1, 0, 0});
}

TEST_CASE("reduce: values and gradients have the same bits for any number of threads", "[reduce][threads]") {
  const std::vector<std::function<Tensor(const Tensor&)>> ops{
      [](const Tensor& x) { return amax(x); },
      [](const Tensor& x) { return norm(x); },
      [](const Tensor& x) { return lora::std(x, {0}); },
      [](const Tensor& x) { return var(x, {1}); },
      [](const Tensor& x) {
        return logsumexp(x, {0, 1});
      },
      [](const Tensor& x) { return norm(softmax(x, 0), 2, {1}); },
      [](const Tensor& x) { return norm(log_softmax(x, 1), 2, {0}); },
  };
  const int before = num_threads();
  for (const Shape& shape : {Shape{2000, 70}, Shape{70, 2000}, Shape{90000, 3}}) {
    for (std::size_t i = 0; i < ops.size(); ++i) {
      INFO("op " << i << " of " << shape);
      Tensor x = to(random(shape), DType::f32), value, grad;
      x.requires_grad_();
      for (const int threads : {1, 2, 3}) {
        set_num_threads(threads);
        x.set_grad({});
        const Tensor y = ops[i](x);
        y.backward(ones(y.shape()));
        CHECK((threads == 1 || (same_bits(y, value) && same_bits(x.grad(), grad))));
        value = y.detach();
        grad = x.grad();
      }
    }
  }
  set_num_threads(before);
}
