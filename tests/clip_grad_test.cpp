#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "core/ops/clip.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "nn/clip_grad.hpp"
#include "nn/linear.hpp"
#include "nn/optim/sgd.hpp"
#include "nn/trainer.hpp"
#include "tests/support/optim.hpp"

using namespace lora;
using namespace lora::nn;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A parameter with this gradient.
Tensor with_grad(const std::vector<double>& grad, DType dtype = DType::f64) {
  const Shape shape{static_cast<Index>(grad.size())};
  Tensor p = parameter(grad, shape, dtype);
  p.set_grad(to(from_values(grad, shape), dtype));
  return p;
}

std::vector<double> grad_of(const Tensor& p) { return p.grad().to_vector<double>(); }

}  // namespace

TEST_CASE("clip_grad: norms and scaled gradients are PyTorch's", "[clip_grad]") {
  struct Row {
    double norm_type, norm;
    std::vector<double> first, second;
  };
  // PyTorch 2.15, f64: gradient sin(1 + i) for element i of two parameters, max_norm 0.5.
  const std::vector<Row> rows{
      {1, 3.642656831327024, {0.1155023369984421, 0.12481235802683444, 0.019370472687034818}, {0.1155023369984421, 0.12481235802683444}},
      {2, 1.7577557606463907, {0.2393593367544373, 0.2586528031589821, 0.04014207517767483}, {0.2393593367544373, 0.2586528031589821}},
      {3, 1.3921517915443562, {0.30221933609543966, 0.3265796083406087, 0.05068409477645002}, {0.30221933609543966, 0.3265796083406087}},
      {kInf,
       0.9092974268256817,
       {0.46270342056206587, 0.4999994501255196, 0.07759829110917445},
       {0.46270342056206587, 0.4999994501255196}}};
  for (const Row& row : rows) {
    const std::vector<Tensor> p{parameter({0, 0, 0}, {3}), parameter({0, 0}, {2}), parameter({0}, {1})};
    give_gradients({p[0], p[1]}, 1);  // the third has none
    CAPTURE(row.norm_type);
    CHECK(all_close({clip_grad_norm_(p, 0.5, row.norm_type)}, {row.norm}, 0, 1e-15));  // sums of five terms in another order
    CHECK(all_close(grad_of(p[0]), row.first, 0, 1e-15));
    CHECK(all_close(grad_of(p[1]), row.second, 0, 1e-15));
  }
}

TEST_CASE("clip_grad: small gradients keep every bit", "[clip_grad]") {
  const Tensor p = with_grad({0.3, -0.4});
  CHECK(clip_grad_norm_({p}, 0.6) == Approx(0.5).epsilon(1e-15));
  CHECK(grad_of(p) == std::vector<double>{0.3, -0.4});
  CHECK(clip_grad_norm_({p}, kInf) == Approx(0.5).epsilon(1e-15));
  CHECK(grad_of(p) == std::vector<double>{0.3, -0.4});
}

TEST_CASE("clip_grad: gradients are changed in place, and only they", "[clip_grad]") {
  const Tensor p = with_grad({30, 40}, DType::f32);
  const Tensor grad = p.grad();
  CHECK(clip_grad_norm_({p}, 5) == 50);
  CHECK(grad.storage() == p.grad().storage());
  CHECK(all_close(grad_of(p), {3, 4}, 0, 1e-6));  // f32, and the 1e-6 under the coefficient
  CHECK(p.to_vector<double>() == std::vector<double>{30, 40});
  clip_grad_norm_({p}, 0);
  CHECK(grad_of(p) == std::vector<double>{0, 0});
}

TEST_CASE("clip_grad: a repeated view as gradient is scaled once", "[clip_grad]") {
  Tensor p = parameter({0, 0, 0, 0}, {4});
  p.set_grad(expand(full({1}, 2, DType::f64), {4}));
  CHECK(clip_grad_norm_({p}, 2) == 4);
  CHECK(all_close(grad_of(p), {1, 1, 1, 1}, 0, 1e-6));  // the 1e-6 under the coefficient
  p.set_grad(expand(full({1}, 2, DType::f64), {4}));
  clip_grad_value_({p}, 0.5);
  CHECK(grad_of(p) == std::vector<double>{0.5, 0.5, 0.5, 0.5});
}

TEST_CASE("clip_grad: large f32 gradients do not overflow", "[clip_grad]") {
  const Tensor p = with_grad({3e30, 4e30}, DType::f32);
  CHECK(clip_grad_norm_({p}, 5) == Approx(5e30).epsilon(1e-6));
  CHECK(all_close(grad_of(p), {3, 4}, 0, 1e-6));  // f32
}

TEST_CASE("clip_grad: without gradients there is nothing to do", "[clip_grad]") {
  const Tensor p = parameter({1}, {1});
  CHECK(clip_grad_norm_({p}, 1) == 0);
  CHECK(clip_grad_norm_({}, 1, kInf) == 0);
  CHECK_FALSE(p.grad().defined());
  Tensor none = parameter({}, {0});
  none.set_grad(zeros({0}, DType::f64));
  CHECK(clip_grad_norm_({none}, 1) == 0);
  clip_grad_value_({p, none}, 1);
}

TEST_CASE("clip_grad: gradients that are not finite are told or go PyTorch's way", "[clip_grad]") {
  const double norm_type = GENERATE(1.0, 2.0, 2.5, kInf);
  const Tensor p = with_grad({1, kInf}), q = with_grad({2});
  CHECK_THROWS_WITH(clip_grad_norm_({p, q}, 1, norm_type, true), Contains("norm of the gradients is inf"));
  CHECK(grad_of(p) == std::vector<double>{1, kInf});
  CHECK(clip_grad_norm_({p, q}, 1, norm_type) == kInf);
  CHECK(grad_of(p)[0] == 0);
  CHECK(std::isnan(grad_of(p)[1]));
  CHECK(grad_of(q)[0] == 0);
  const Tensor r = with_grad({2});
  CHECK_THROWS_WITH(clip_grad_norm_({r, p}, 1, norm_type, true), Contains("nan"));
  CHECK(std::isnan(clip_grad_norm_({r, p}, 1, norm_type)));
  CHECK(std::isnan(grad_of(r)[0]));
}

TEST_CASE("clip_grad: values are brought between the bounds", "[clip_grad]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const Tensor p = with_grad({-3, -0.5, 0, 0.25, 7, kInf, -kInf}, dtype), q = with_grad({kNaN}, dtype);
  clip_grad_value_({p, q, parameter({1}, {1})}, 0.5);
  CHECK(grad_of(p) == std::vector<double>{-0.5, -0.5, 0, 0.25, 0.5, 0.5, -0.5});
  CHECK(std::isnan(grad_of(q)[0]));
}

TEST_CASE("clip_grad: arguments are checked", "[clip_grad]") {
  const Tensor p = with_grad({1});
  CHECK_THROWS_WITH(clip_grad_norm_({p}, -1), Contains("max_norm is -1"));
  CHECK_THROWS_WITH(clip_grad_norm_({p}, kNaN), Contains("max_norm"));
  CHECK_THROWS_WITH(clip_grad_norm_({p}, 1, 0), Contains("norm_type is 0"));
  CHECK_THROWS_WITH(clip_grad_norm_({p}, 1, kNaN), Contains("norm_type"));
  CHECK_THROWS_WITH(clip_grad_value_({p}, -1), Contains("clip_value is -1"));
  CHECK_THROWS_AS(clip_grad_value_({Tensor()}, 1), Error);
  Tensor x = transpose(zeros({2, 3}), 0, 1), whole = zeros({3}, DType::i64), ok = zeros({3});
  CHECK_THROWS_WITH(mul_(x, 2), Contains("not contiguous"));
  CHECK_THROWS_WITH(mul_(whole, 2), Contains("i64[3]@cpu"));
  CHECK_THROWS_WITH(clamp_(ok, 1, -1), Contains("min 1 and max -1"));
  CHECK_THROWS_WITH(abs_power_sums(std::vector<Tensor>{ok, whole}, 2), Contains("i64[3]@cpu"));
  CHECK_THROWS_WITH(abs_power_sums(std::vector<Tensor>{ok}, -2), Contains("power is -2"));
}

TEST_CASE("clip_grad: a change in place is noticed by a graph that saved the tensor", "[clip_grad]") {
  Tensor x = full({2}, 3), w = parameter({1, 1}, {2}, DType::f32);
  const Tensor y = sum(x * w);
  mul_(x, 2);
  CHECK(x.to_vector<double>() == std::vector<double>{6, 6});
  CHECK_THROWS_WITH(y.backward(), Contains("changed in place"));
}

namespace {

/// One batch, the same every time.
struct Same {
  Index batches() const { return 3; }
  Index samples() const { return 12; }
  Batch batch(Index, Index) const { return {full({4, 2}, 5), from_values(std::vector<std::int64_t>{0, 1, 2, 0}, {4})}; }
};

/// The norm of the gradients that each step of a training used.
std::vector<double> norms_in_training(double clip) {
  manual_seed(3);
  Linear model(2, 3);
  optim::SGD sgd(model.trainable_parameters(), {.lr = 0.01});
  TrainOptions options;
  options.epochs = 1;
  options.classes = 3;
  options.clip_grad_norm = clip;
  Trainer trainer(model, sgd, nullptr, options);
  std::vector<double> norms;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const StepRecord&) { norms.push_back(clip_grad_norm_(sgd.parameters(), kInf)); };
  trainer.fit(Same{}, Same{}, callbacks);
  return norms;
}

}  // namespace

TEST_CASE("clip_grad: the trainer clips before each step if asked", "[clip_grad][trainer]") {
  const std::vector<double> free = norms_in_training(0), clipped = norms_in_training(0.125), wide = norms_in_training(1e6);
  REQUIRE(free.size() == 3);
  CHECK(free[0] > 0.25);
  CHECK(wide == free);
  CHECK(all_close(clipped, {0.125, 0.125, 0.125}, 0, 1e-4));  // the 1e-6 under the coefficient, and f32
  CHECK_THROWS_WITH(norms_in_training(-1), Contains("clip_grad_norm is -1"));
  CHECK_THROWS_WITH(norms_in_training(kNaN), Contains("clip_grad_norm"));
}
