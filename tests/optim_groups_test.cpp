#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "nn/checkpoint.hpp"
#include "nn/optim/adam.hpp"
#include "nn/optim/cosine.hpp"
#include "nn/optim/sgd.hpp"
#include "tests/support/optim.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

// Six steps in f64, whose operations come in another order than the reference's: some ulp a step.
constexpr double kTolerance = 1e-13;

struct Two {
  Tensor a = parameter({0.5, -1.0, 2.0}, {3}), b = parameter({1.0, -0.25}, {2});
  void check_after_six_steps(optim::Optimizer& optimizer, const std::vector<double>& want_a, const std::vector<double>& want_b) const {
    for (int k = 0; k < 6; ++k) {
      step_with(optimizer, k);
    }
    CHECK(all_close(a.to_vector<double>(), want_a, kTolerance, 0));
    CHECK(all_close(b.to_vector<double>(), want_b, kTolerance, 0));
  }
};

}  // namespace

// The numbers are PyTorch 2.15's: two groups, f64, gradient sin(k + i) for element i in step k = 0..5.

TEST_CASE("optim: groups of Adam have options of their own", "[optim]") {
  const Two p;
  optim::Adam adam({p.a}, {.lr = 0.1, .weight_decay = 0.2});
  adam.add_param_group({p.b}, {.lr = 0.02, .betas = {0.5, 0.9}, .eps = 1e-3, .amsgrad = true});
  p.check_after_six_steps(adam, {0.11620340004581176, -1.1836168852739406, 1.6911063706818827}, {0.9690927690127643, -0.2707741491925852});
}

TEST_CASE("optim: groups of AdamW have options of their own", "[optim]") {
  const Two p;
  optim::AdamW adamw({p.a}, {.lr = 0.1, .maximize = true});
  adamw.add_param_group({p.b}, {.lr = 0.02, .weight_decay = 0.5, .amsgrad = true});
  p.check_after_six_steps(adamw, {0.7508317040974829, -0.7084914086401407, 2.0916731378643107}, {0.8920239162769412, -0.29035058656650437});
}

TEST_CASE("optim: groups of SGD have options of their own", "[optim]") {
  const Two p, q;
  optim::SGD damped({p.a}, {.lr = 0.1, .momentum = 0.9, .dampening = 0.5, .weight_decay = 0.2});
  damped.add_param_group({p.b}, {.lr = 0.02});
  p.check_after_six_steps(damped, {0.17496095290363456, -1.150550363445199, 1.3873218579033977}, {0.9964767670055523, -0.247934923030469});
  optim::SGD nesterov({q.a}, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.2, .nesterov = true, .maximize = true});
  nesterov.add_param_group({q.b}, {.lr = 0.02, .momentum = 0.5});
  q.check_after_six_steps(nesterov, {0.6419610826670574, -0.3796665146416372, 1.1139363764641754},
                          {0.9702377059031363, -0.2628160700789009});
}

TEST_CASE("optim: each group has its learning rate", "[optim]") {
  Tensor a = parameter({0}, {1}), b = parameter({0}, {1}), c = parameter({0}, {1});
  optim::SGD sgd({a}, {.lr = 1});
  sgd.add_param_group({b, c}, {.lr = 2});
  CHECK(sgd.num_groups() == 2);
  CHECK(sgd.lrs() == std::vector<double>{1, 2});
  sgd.set_lr(8, 1);
  CHECK(sgd.lr() == 1);
  CHECK(sgd.lr(1) == 8);
  for (Tensor p : sgd.parameters()) {
    p.set_grad(ones({1}, DType::f64));
  }
  sgd.step();
  CHECK(a.item<double>() == -1);
  CHECK(b.item<double>() == -8);
  CHECK(c.item<double>() == -8);
  sgd.zero_grad();
  CHECK_FALSE((a.grad().defined() || c.grad().defined()));
}

TEST_CASE("optim: a group that is refused changes nothing", "[optim]") {
  Tensor a = parameter({1}, {1}), b = parameter({1}, {1});
  optim::AdamW adamw({a});
  CHECK_THROWS_WITH(adamw.add_param_group({b, a}, {}), Contains("parameter 1") && Contains("another group"));
  CHECK_THROWS_WITH(adamw.add_param_group({b, b}, {}), Contains("twice"));
  CHECK_THROWS_WITH(adamw.add_param_group({}, {}), Contains("empty list"));
  CHECK_THROWS_WITH(adamw.add_param_group({b}, {.lr = -1}), Contains("learning rate is -1"));
  CHECK_THROWS_WITH(adamw.add_param_group({b}, {.betas = {0.9, 2}}), Contains("beta2 is 2"));
  optim::SGD sgd({a});
  CHECK_THROWS_WITH(sgd.add_param_group({a}, {}), Contains("another group"));
  CHECK_THROWS_WITH(sgd.add_param_group({b}, {.nesterov = true}), Contains("nesterov"));
  CHECK_THROWS_WITH(adamw.lr(1), Contains("no group 1"));
  CHECK_THROWS_WITH(adamw.set_lr(1, 7), Contains("no group 7"));
  CHECK_THROWS_WITH(adamw.set_lrs({1, 2}), Contains("2 learning rates for 1 groups"));
  adamw.add_param_group({b}, {});
  CHECK_THROWS_WITH(adamw.set_lrs({5, -1}), Contains("learning rate is -1"));
  CHECK(adamw.lrs() == std::vector<double>{1e-3, 1e-3});
  CHECK(adamw.parameters().size() == 2);
  step_with(adamw, 1);
  CHECK(b.item<double>() < 1);
}

TEST_CASE("optim: a state counts parameters over all groups", "[optim]") {
  const Two p, q;
  optim::Adam two({p.a}), one({q.a, q.b}, {.amsgrad = true});
  two.add_param_group({p.b}, {.lr = 0.5, .amsgrad = true});
  step_with(two, 0);
  step_with(one, 0);
  std::vector<std::string> names;
  for (const auto& entry : two.state()) {
    names.push_back(entry.first);
  }
  CHECK(names ==
        std::vector<std::string>{"lr", "exp_avg.0", "exp_avg_sq.0", "step.0", "exp_avg.1", "exp_avg_sq.1", "step.1", "max_exp_avg_sq.1"});
  CHECK(two.state()[0].second.to_vector<double>() == std::vector<double>{1e-3, 0.5});
  CHECK_THROWS_WITH(one.load_state(two.state()), Contains("'lr' is f64[2]@cpu"));
  CHECK_THROWS_WITH(two.load_state(one.state()), Contains("'lr' is f64[1]@cpu"));
}

TEST_CASE("optim: groups and their schedule come back from a checkpoint", "[optim]") {
  const TempFolder folder;
  const auto path = folder / "checkpoint.safetensors";
  const auto make = [](const Two& p) {
    auto adamw = std::make_unique<optim::AdamW>(std::vector<Tensor>{p.a});
    adamw->add_param_group({p.b}, {.lr = 0.25, .amsgrad = true});
    return adamw;
  };
  const auto train = [](optim::Optimizer& optimizer, optim::Scheduler& scheduler, int from, int to) {
    for (int k = from; k < to; ++k) {
      step_with(optimizer, k);
      scheduler.step();
    }
  };
  const Two p, q;
  const auto whole = make(p), second = make(q);
  optim::CosineAnnealingLR schedule(*whole, {5, 0.01}), other(*second, {5, 0.01});
  train(*whole, schedule, 0, 3);
  nn::TrainState state;
  state.optimizer = whole->state();
  state.scheduler = schedule.state();
  state.now = {{p.a, p.b}, {}};
  nn::save_checkpoint(path, state);
  train(*whole, schedule, 3, 9);

  const nn::TrainState back = nn::load_checkpoint(path);
  second->load_state(back.optimizer);
  other.load_state(back.scheduler);
  q.a.detach().copy_(back.now.trained[0]);
  q.b.detach().copy_(back.now.trained[1]);
  train(*second, other, 3, 9);
  CHECK(p.a.to_vector<double>() == q.a.to_vector<double>());
  CHECK(p.b.to_vector<double>() == q.b.to_vector<double>());
  CHECK(whole->lrs() == second->lrs());
}
