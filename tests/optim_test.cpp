#include <array>
#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "core/autograd.hpp"
#include "nn/optim/adam.hpp"
#include "nn/optim/sgd.hpp"
#include "tests/support/optim.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

// The reference is f64 PyTorch, whose operations come in another order: some ulp a step, over 12 steps.
constexpr double kAbsolute = 1e-10, kRelative = 1e-8;

std::unique_ptr<optim::Optimizer> make(const std::vector<Tensor>& parameters, const GoldenCase& c) {
  const double lr = c.number("lr"), decay = c.number("weight_decay");
  if (c.text("type") == "SGD") {
    return std::make_unique<optim::SGD>(
        parameters, optim::SGDOptions{lr, c.number("momentum"), c.number("dampening"), decay, c.flag("nesterov"), false});
  }
  const std::array<double, 2> betas = c.attrs.at("betas");
  const double eps = c.number("eps");
  const bool amsgrad = c.flag("amsgrad");
  if (c.text("type") == "AdamW") {
    return std::make_unique<optim::AdamW>(parameters, optim::AdamWOptions{lr, betas, eps, decay, amsgrad, false});
  }
  REQUIRE(c.text("type") == "Adam");
  return std::make_unique<optim::Adam>(parameters, optim::AdamOptions{lr, betas, eps, decay, amsgrad, false});
}

std::vector<double> slice(const std::vector<double>& all, std::size_t i, std::size_t size) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * size);
  return {begin, begin + static_cast<std::ptrdiff_t>(size)};
}

/// Every kind of state that an optimizer may have.
using Make = std::function<std::unique_ptr<optim::Optimizer>(const std::vector<Tensor>&)>;
const std::vector<Make> kMakers{
    [](const auto& p) { return std::make_unique<optim::Adam>(p); },
    [](const auto& p) {
      return std::make_unique<optim::Adam>(p, optim::AdamOptions{.weight_decay = 0.1, .amsgrad = true, .maximize = true});
    },
    [](const auto& p) { return std::make_unique<optim::AdamW>(p, optim::AdamWOptions{.lr = 0.7}); },
    [](const auto& p) { return std::make_unique<optim::SGD>(p, optim::SGDOptions{.weight_decay = 0.1}); },
    [](const auto& p) { return std::make_unique<optim::SGD>(p, optim::SGDOptions{.momentum = 0.9, .dampening = 0.5}); },
    [](const auto& p) { return std::make_unique<optim::SGD>(p, optim::SGDOptions{.momentum = 0.9, .nesterov = true}); },
    [](const auto& p) {
      auto sgd = std::make_unique<optim::SGD>(std::vector<Tensor>{p[0]});
      sgd->add_param_group({p[1]}, {.lr = 0.2, .momentum = 0.8});
      return sgd;
    },
    [](const auto& p) {
      auto adamw = std::make_unique<optim::AdamW>(std::vector<Tensor>{p[0]});
      adamw->add_param_group({p[1]}, {.lr = 0.2, .amsgrad = true});
      return adamw;
    },
};

}  // namespace

TEST_CASE("optim: trajectories are PyTorch's", "[optim]") {
  const std::string name = GENERATE("optim_adam", "optim_adam_wd", "optim_adamw", "optim_adamw_amsgrad", "optim_sgd", "optim_sgd_nesterov");
  const GoldenCase golden(name);
  const Shape shape = golden.file.at("p0").shape();
  const auto size = static_cast<std::size_t>(shape.numel());
  Tensor p = parameter(golden.values("p0"), shape);
  const auto optimizer = make({p}, golden);
  const auto grads = golden.values("grads"), expected = golden.values("trajectory");
  REQUIRE(expected.size() == 12 * size);
  for (std::size_t step = 0; step < 12; ++step) {
    p.set_grad(from_values(slice(grads, step, size), shape));
    optimizer->step();
    CAPTURE(name, step);
    CHECK(all_close(p.to_vector<double>(), slice(expected, step, size), kAbsolute, kRelative));
  }
}

TEST_CASE("optim: the first step of Adam is the learning rate against the sign of the gradient", "[optim]") {
  const bool maximize = GENERATE(false, true);
  Tensor p = parameter({1, 2, 3}, {3});
  optim::Adam adam({p}, {.lr = 0.5, .eps = 0, .maximize = maximize});
  p.set_grad(from_values(std::vector<double>{10, -0.001, 7}, {3}));
  adam.step();
  // m / (1 - beta1) and sqrt(v / (1 - beta2)) are g and |g| up to rounding of a few ulp.
  const std::vector<double> down{0.5, 2.5, 2.5}, up{1.5, 1.5, 3.5};
  CHECK(all_close(p.to_vector<double>(), maximize ? up : down, 1e-12, 0));
}

TEST_CASE("optim: AdamW shrinks weights apart from the gradient", "[optim]") {
  Tensor p = parameter({4}, {1});
  optim::AdamW adamw({p}, {.lr = 0.5, .weight_decay = 0.25});
  p.set_grad(from_values(std::vector<double>{0}, {1}));
  adamw.step();
  CHECK(p.item<double>() == 4 * (1 - 0.5 * 0.25));
}

TEST_CASE("optim: amsgrad keeps the step small after one large gradient", "[optim]") {
  Tensor p = parameter({0}, {1}), q = parameter({0}, {1});
  optim::Adam plain({p}, {.lr = 0.1, .betas = {0.0, 0.5}}), ams({q}, {.lr = 0.1, .betas = {0.0, 0.5}, .amsgrad = true});
  double before = 0;
  for (const double g : {100.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0}) {
    before = q.item<double>();
    for (Tensor x : {p, q}) {
      x.set_grad(from_values(std::vector<double>{g}, {1}));
    }
    plain.step();
    ams.step();
  }
  // v falls back to 1, its maximum stays 5000 = 100^2 / 2: the last step is lr / sqrt(5000 / (1 - 2^-16)).
  CHECK(ams.state().back().first == "max_exp_avg_sq.0");
  CHECK(ams.state().back().second.item<double>() == 5000);
  CHECK(std::abs(before - q.item<double>() - 0.1 / std::sqrt(5000 / (1 - 0x1p-16))) <= 1e-9);  // eps
  CHECK(p.item<double>() < 2 * q.item<double>());
}

TEST_CASE("optim: SGD without momentum is the gradient alone", "[optim]") {
  Tensor p = parameter({1, -2}, {2});
  optim::SGD sgd({p}, {.lr = 0.5});
  p.set_grad(from_values(std::vector<double>{4, 6}, {2}));
  sgd.step();
  CHECK(p.to_vector<double>() == std::vector<double>{-1, -5});
  CHECK(sgd.state().size() == 1);  // lr
}

TEST_CASE("optim: SGD takes the first gradient whole and damps the next", "[optim]") {
  Tensor p = parameter({0}, {1});
  optim::SGD sgd({p}, {.lr = 1, .momentum = 0.5, .dampening = 0.75});
  p.set_grad(from_values(std::vector<double>{8}, {1}));
  sgd.step();
  CHECK(p.item<double>() == -8);
  sgd.step();
  CHECK(p.item<double>() == -14);  // b = 8 / 2 + 8 / 4
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
  const optim::SGDOptions sgd;
  CHECK(adam.lr == 1e-3);
  CHECK((adam.betas == std::array<double, 2>{0.9, 0.999}));
  CHECK(adam.eps == 1e-8);
  CHECK(adam.weight_decay == 0);
  CHECK_FALSE((adam.amsgrad || adam.maximize || adamw.amsgrad || adamw.maximize || sgd.nesterov || sgd.maximize));
  CHECK(adamw.weight_decay == 0.01);
  CHECK(sgd.lr == 1e-3);
  CHECK((sgd.momentum == 0 && sgd.dampening == 0 && sgd.weight_decay == 0));
}

TEST_CASE("optim: a loaded state goes on with the same bits", "[optim]") {
  const Make& make_one = kMakers[GENERATE(range(std::size_t{0}, std::size_t{8}))];
  REQUIRE(kMakers.size() == 8);
  const DType dtype = GENERATE(DType::f32, DType::f64);
  const int at = GENERATE(0, 1, 5);
  const auto fresh = [&] { return std::vector<Tensor>{parameter({0.1, -0.2, 0.3, 0.4}, {2, 2}, dtype), parameter({0.5}, {1}, dtype)}; };
  std::vector<Tensor> p = fresh(), q = fresh();
  const auto whole = make_one(p), second = make_one(q);
  for (int k = 0; k < at; ++k) {
    step_with(*whole, k);
  }
  whole->set_lr(0.02);
  const NamedTensors state = copied(whole->state());
  step_with(*second, 100);  // a state of its own, which loading must replace
  {
    const NoGrad off;
    q[0].copy_(p[0]);
    q[1].copy_(p[1]);
  }
  second->load_state(state);
  CHECK(second->lrs() == whole->lrs());
  const auto bits = [](const std::vector<Tensor>& x) { return std::make_pair(x[0].to_vector<double>(), x[1].to_vector<double>()); };
  for (int k = at; k < at + 4; ++k) {
    step_with(*whole, k);
    step_with(*second, k);
    CHECK(bits(p) == bits(q));
  }
  for (const auto& entry : state) {
    for (const auto& now : second->state()) {
      CHECK(entry.second.storage() != now.second.storage());  // loaded as a copy
    }
  }
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
  SECTION("amsgrad") {
    state.emplace_back("max_exp_avg_sq.0", state[1].second);
    refused("'max_exp_avg_sq.0'");
  }
  SECTION("groups") {
    state[0].second = full({2}, 1, DType::f64);
    refused("'lr' is f64[2]@cpu");
  }
}

TEST_CASE("optim: a state of other options is refused", "[optim]") {
  Tensor p = parameter({1, 2}, {2});
  optim::Adam plain({p}), ams({p}, {.amsgrad = true});
  optim::SGD sgd({p}), momentum({p}, {.momentum = 0.5});
  step_with(plain, 0);
  step_with(momentum, 0);
  CHECK_THROWS_WITH(ams.load_state(plain.state()), Contains("lacks 'max_exp_avg_sq.0'"));
  CHECK_THROWS_WITH(sgd.load_state(momentum.state()), Contains("[SGD]") && Contains("'momentum_buffer.0'"));
  CHECK_THROWS_WITH(momentum.load_state({{"lr", ones({1}, DType::f64)}, {"momentum_buffer.0", ones({2})}}), Contains("f32[2]@cpu"));
  CHECK(momentum.lr() == 1e-3);
  momentum.load_state(sgd.state());  // before its first step there is no buffer
  CHECK(momentum.state().size() == 1);
}

TEST_CASE("optim: arguments are checked", "[optim]") {
  const Tensor p = parameter({1}, {1});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  using A = optim::AdamOptions;
  using S = optim::SGDOptions;
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
  CHECK_THROWS_WITH(optim::SGD({}), Contains("[SGD]") && Contains("empty list"));
  CHECK_THROWS_WITH(optim::SGD({p}, S{.lr = -1}), Contains("learning rate is -1"));
  CHECK_THROWS_WITH(optim::SGD({p}, S{.momentum = -0.5}), Contains("momentum is -0.5"));
  CHECK_THROWS_WITH(optim::SGD({p}, S{.momentum = 0.5, .dampening = nan}), Contains("dampening"));
  CHECK_THROWS_WITH(optim::SGD({p}, S{.weight_decay = -2}), Contains("weight_decay is -2"));
  CHECK_THROWS_WITH(optim::SGD({p}, S{.nesterov = true}), Contains("nesterov"));
  CHECK_THROWS_WITH(optim::SGD({p}, S{.momentum = 0.9, .dampening = 0.1, .nesterov = true}), Contains("dampening 0.1"));
}
