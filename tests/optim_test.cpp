#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/serialize.hpp"
#include "nn/optim/adam.hpp"

using namespace lora;
using Catch::Matchers::Contains;

namespace {

// The reference is f64 PyTorch, whose operations come in another order: some ulp a step, over 12 steps.
constexpr double kTrajectory = 1e-8;

Tensor parameter(const std::vector<double>& values, const Shape& shape) {
  Tensor p = from_values(values, shape);
  p.requires_grad_();
  return p;
}

std::vector<double> slice(const std::vector<double>& all, std::size_t i, std::size_t size) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * size);
  return {begin, begin + static_cast<std::ptrdiff_t>(size)};
}

/// Largest difference; NaN if there is one.
double distance(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]);
    largest = d <= largest ? largest : d;
  }
  return largest;
}

std::unique_ptr<optim::Adam> make(const std::string& type, const std::vector<Tensor>& parameters, const nlohmann::json& a) {
  const std::array<double, 2> betas = a["betas"];
  const double lr = a["lr"], eps = a["eps"], decay = a["weight_decay"];
  if (type == "AdamW") {
    return std::make_unique<optim::AdamW>(parameters, optim::AdamWOptions{lr, betas, eps, decay});
  }
  REQUIRE(type == "Adam");
  return std::make_unique<optim::Adam>(parameters, optim::AdamOptions{lr, betas, eps, decay});
}

/// A step with the gradient sin(k + i) for element i.
void step_with(optim::Optimizer& optimizer, int k) {
  for (Tensor p : optimizer.parameters()) {
    std::vector<double> g(static_cast<std::size_t>(p.numel()));
    for (std::size_t i = 0; i < g.size(); ++i) {
      g[i] = std::sin(k + static_cast<double>(i));
    }
    p.set_grad(to(from_values(g, p.shape()), p.dtype()));
  }
  optimizer.step();
}

NamedTensors copied(const NamedTensors& state) {
  NamedTensors copy;
  for (const auto& entry : state) {
    copy.emplace_back(entry.first, clone(entry.second));
  }
  return copy;
}

}  // namespace

TEST_CASE("optim: Adam and AdamW follow PyTorch's trajectories", "[optim]") {
  const std::string name = GENERATE("optim_adam", "optim_adam_wd", "optim_adamw");
  const SafetensorsFile file = load_safetensors(LORA_SOURCE_DIR "/tests/golden/" + name + ".safetensors");
  const auto attrs = nlohmann::json::parse(file.metadata.at("attrs"));
  const Shape shape = file.at("p0").shape();
  const auto size = static_cast<std::size_t>(shape.numel());
  Tensor p = parameter(file.at("p0").to_vector<double>(), shape);
  const auto optimizer = make(attrs["type"], {p}, attrs);
  const auto grads = file.at("grads").to_vector<double>();
  const auto expected = file.at("trajectory").to_vector<double>();
  CAPTURE(name);
  for (std::size_t step = 0; step * size < grads.size(); ++step) {
    p.set_grad(from_values(slice(grads, step, size), shape));
    optimizer->step();
    CAPTURE(step);
    CHECK(distance(p.to_vector<double>(), slice(expected, step, size)) <= kTrajectory);
  }
}

TEST_CASE("optim: the first step of Adam is the learning rate against the sign of the gradient", "[optim]") {
  Tensor p = parameter({1, 2, 3}, {3});
  optim::Adam adam({p}, {.lr = 0.5, .eps = 0});
  p.set_grad(from_values(std::vector<double>{10, -0.001, 7}, {3}));
  adam.step();
  // m / (1 - beta1) and sqrt(v / (1 - beta2)) are g and |g| up to rounding of a few ulp.
  CHECK(distance(p.to_vector<double>(), {0.5, 2.5, 2.5}) <= 1e-12);
}

TEST_CASE("optim: AdamW shrinks weights apart from the gradient", "[optim]") {
  Tensor p = parameter({4}, {1});
  optim::AdamW adamw({p}, {.lr = 0.5, .weight_decay = 0.25});
  p.set_grad(from_values(std::vector<double>{0}, {1}));
  adamw.step();
  CHECK(p.item<double>() == 4 * (1 - 0.5 * 0.25));
}

TEST_CASE("optim: a parameter without a gradient is skipped and its steps are its own", "[optim]") {
  Tensor moved = parameter({1}, {1}), late = parameter({1}, {1});
  optim::Adam adam({moved, late}, {.lr = 0.1});
  for (int i = 0; i < 3; ++i) {
    moved.set_grad(from_values(std::vector<double>{1}, {1}));
    adam.step();
  }
  CHECK(late.item<double>() == 1.0);
  CHECK(adam.state().size() == 4);  // lr, and the three of `moved`
  moved.set_grad(Tensor());
  late.set_grad(from_values(std::vector<double>{2}, {1}));
  const double before = moved.item<double>();
  adam.step();
  CHECK(moved.item<double>() == before);
  CHECK(std::abs(late.item<double>() - 0.9) <= 1e-8);  // a first step: lr g / (|g| + eps)
}

TEST_CASE("optim: zero_grad drops gradients and set_lr is used by the next step", "[optim]") {
  Tensor p = parameter({1}, {1});
  optim::Adam adam({p}, {.lr = 0.1});
  p.set_grad(from_values(std::vector<double>{1}, {1}));
  adam.zero_grad();
  CHECK_FALSE(p.grad().defined());
  adam.set_lr(0);
  p.set_grad(from_values(std::vector<double>{1}, {1}));
  adam.step();
  CHECK(p.item<double>() == 1.0);
}

TEST_CASE("optim: defaults are PyTorch's", "[optim]") {
  const optim::AdamOptions adam;
  const optim::AdamWOptions adamw;
  CHECK(adam.lr == 1e-3);
  CHECK((adam.betas == std::array<double, 2>{0.9, 0.999}));
  CHECK(adam.eps == 1e-8);
  CHECK(adam.weight_decay == 0);
  CHECK(adamw.weight_decay == 0.01);
}

TEST_CASE("optim: a loaded state goes on with the same bits", "[optim]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const auto fresh = [&] {
    Tensor p = to(from_values(std::vector<double>{0.1, -0.2, 0.3, 0.4}, {2, 2}), dtype);
    p.requires_grad_();
    return p;
  };
  Tensor p = fresh(), q = fresh();
  optim::AdamW whole({p}), second({q}, {.lr = 0.7});
  for (int k = 0; k < 5; ++k) {
    step_with(whole, k);
  }
  whole.set_lr(0.02);
  const NamedTensors state = copied(whole.state());
  {
    const NoGrad off;
    q.copy_(p);
  }
  second.load_state(state);
  CHECK(second.lr() == 0.02);
  for (int k = 5; k < 9; ++k) {
    step_with(whole, k);
    step_with(second, k);
  }
  CHECK(p.to_vector<double>() == q.to_vector<double>());
  CHECK(state[1].second.to_vector<double>() != second.state()[1].second.to_vector<double>());  // loaded as a copy
}

TEST_CASE("optim: a state that does not fit is refused by name and changes nothing", "[optim]") {
  Tensor p = parameter({1, 2}, {2});
  optim::Adam adam({p});
  step_with(adam, 0);
  NamedTensors state = copied(adam.state());
  const auto refused = [&](const std::string& text) {
    CHECK_THROWS_WITH(adam.load_state(state), Contains(text));
    CHECK(adam.state()[3].second.item<std::int64_t>() == 1);
    CHECK(adam.lr() == 1e-3);
  };
  state[0].second = full({1}, 5, DType::f64);
  SECTION("missing") {
    state.pop_back();
    refused("lacks 'step.0'");
  }
  SECTION("unexpected") {
    state.emplace_back("momentum.0", state[1].second);
    refused("'momentum.0'");
  }
  SECTION("of a parameter too many") {
    state.emplace_back("exp_avg.1", state[1].second);
    refused("'exp_avg.1'");
  }
  SECTION("twice") {
    state.push_back(state[1]);
    refused("twice");
  }
  SECTION("shape") {
    state[2].second = zeros({3}, DType::f64);
    refused("'exp_avg_sq.0' is f64[3]@cpu");
  }
  SECTION("dtype") {
    state[1].second = zeros({2});
    refused("'exp_avg.0' is f32[2]@cpu");
  }
  SECTION("step") {
    state[3].second = from_values(std::vector<std::int64_t>{-1}, {1});
    refused("'step.0' is -1");
  }
  SECTION("learning rate") {
    state[0].second = full({1}, -1, DType::f64);
    refused("learning rate is -1");
  }
}

TEST_CASE("optim: arguments are checked", "[optim]") {
  const Tensor p = parameter({1}, {1});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  using A = optim::AdamOptions;
  CHECK_THROWS_WITH(optim::Adam({}), Contains("empty list of parameters"));
  CHECK_THROWS_WITH(optim::Adam({p, p}), Contains("parameter 1") && Contains("twice"));
  CHECK_THROWS_WITH(optim::Adam({Tensor()}), Contains("undefined"));
  CHECK_THROWS_WITH(optim::Adam({zeros({2}, DType::i64)}), Contains("i64[2]@cpu"));
  CHECK_THROWS_WITH(optim::Adam({p}, A{.lr = -1}), Contains("learning rate is -1"));
  CHECK_THROWS_WITH(optim::Adam({p}, A{.lr = nan}), Contains("learning rate"));
  CHECK_THROWS_WITH(optim::Adam({p}, A{.betas = {1.0, 0.9}}), Contains("beta1 is 1"));
  CHECK_THROWS_WITH(optim::Adam({p}, A{.betas = {0.9, -0.1}}), Contains("beta2 is -0.1"));
  CHECK_THROWS_WITH(optim::Adam({p}, A{.eps = -1e-8}), Contains("eps"));
  CHECK_THROWS_WITH(optim::AdamW({p}, {.weight_decay = -1}), Contains("[AdamW]") && Contains("weight_decay"));
  CHECK_THROWS_AS(optim::Adam({p}).set_lr(nan), Error);
}
