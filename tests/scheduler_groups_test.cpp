#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "nn/optim/cosine.hpp"
#include "nn/optim/exponential_lr.hpp"
#include "nn/optim/linear_lr.hpp"
#include "nn/optim/one_cycle.hpp"
#include "nn/optim/plateau.hpp"
#include "nn/optim/step_lr.hpp"
#include "tests/support/optim.hpp"

using namespace lora;
using namespace lora::optim;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

// The reference makes the same operations in the same order; another cosine of the C library is what may differ over the long runs.
constexpr double kRelative = 1e-9;

/// The rates of both groups before step t.
struct Row {
  int t;
  double first, second;
};

/// Steps with the value 1 for those that want one.
void check_run(Rate& optimizer, Scheduler& scheduler, const std::vector<Row>& rows) {
  int t = 0;
  for (const Row& row : rows) {
    for (; t < row.t; ++t) {
      scheduler.step(1.0);
    }
    CAPTURE(t, optimizer.lr(0), optimizer.lr(1), row.first, row.second);
    CHECK(std::abs(optimizer.lr(0) - row.first) <= kRelative * row.first);
    CHECK(std::abs(optimizer.lr(1) - row.second) <= kRelative * row.second);
  }
}

}  // namespace

// The numbers are PyTorch 2.15's: two groups, with rates 0.2 and 0.03 at construction.

TEST_CASE("scheduler: StepLR lowers every group over a long run", "[scheduler]") {
  Rate optimizer({0.2, 0.03});
  StepLR scheduler(optimizer, {97, 0.8});
  check_run(optimizer, scheduler,
            {{0, 0.2, 0.03},
             {1, 0.2, 0.03},
             {7, 0.2, 0.03},
             {500, 0.06553600000000002, 0.009830400000000003},
             {999, 0.021474836480000013, 0.0032212254720000023},
             {1000, 0.021474836480000013, 0.0032212254720000023},
             {1001, 0.021474836480000013, 0.0032212254720000023},
             {1500, 0.007036874417766407, 0.001055531162664961},
             {2000, 0.0023058430092136968, 0.0003458764513820545},
             {2003, 0.0023058430092136968, 0.0003458764513820545},
             {5000, 2.2835963083295418e-06, 3.425394462494314e-07}});
}

TEST_CASE("scheduler: ExponentialLR lowers every group over a long run", "[scheduler]") {
  Rate optimizer({0.2, 0.03});
  ExponentialLR scheduler(optimizer, {0.997});
  check_run(optimizer, scheduler,
            {{0, 0.2, 0.03},
             {1, 0.19940000000000002, 0.02991},
             {7, 0.19583761156598048, 0.029375641734897064},
             {500, 0.04452553551532222, 0.0066788303272983275},
             {999, 0.009942443896320038, 0.0014913665844480076},
             {1000, 0.009912616564631077, 0.0014868924846946636},
             {1001, 0.009882878714937184, 0.0014824318072405797},
             {1500, 0.002206822804491254, 0.00033102342067368995},
             {2000, 0.0004912998357869905, 7.369497536804916e-05},
             {2003, 0.00048689138909537824, 7.303370836430732e-05},
             {5000, 5.981657658840811e-08, 8.972486488261285e-09}});
}

TEST_CASE("scheduler: LinearLR moves every group over a long run", "[scheduler]") {
  Rate optimizer({0.2, 0.03});
  LinearLR scheduler(optimizer, {0.01, 0.9, 1500});
  check_run(optimizer, scheduler,
            {{0, 0.002, 0.0003},
             {1, 0.0021186666666666667, 0.0003177999999999999},
             {7, 0.002830666666666667, 0.0004245999999999999},
             {500, 0.061333333333333406, 0.009199999999999974},
             {999, 0.12054799999999968, 0.018082199999999923},
             {1000, 0.12066666666666637, 0.018099999999999925},
             {1001, 0.12078533333333302, 0.018117799999999924},
             {1500, 0.17999999999999974, 0.026999999999999913},
             {2000, 0.17999999999999974, 0.026999999999999913},
             {2003, 0.17999999999999974, 0.026999999999999913},
             {5000, 0.17999999999999974, 0.026999999999999913}});
}

TEST_CASE("scheduler: LinearLR may end at 0", "[scheduler]") {
  Rate optimizer({0.2, 0.03});
  LinearLR scheduler(optimizer, {1.0, 0.0, 1000});
  check_run(optimizer, scheduler,
            {{0, 0.2, 0.03},
             {1, 0.1998, 0.02997},
             {7, 0.19860000000000003, 0.02979},
             {500, 0.0999999999999991, 0.015000000000000065},
             {999, 0.00019999999999999773, 3e-05},
             {1000, 0.0, 0.0},
             {1001, 0.0, 0.0},
             {1500, 0.0, 0.0},
             {2000, 0.0, 0.0},
             {2003, 0.0, 0.0},
             {5000, 0.0, 0.0}});
}

TEST_CASE("scheduler: CosineAnnealingLR moves every group over a long run", "[scheduler]") {
  Rate optimizer({0.2, 0.03});
  CosineAnnealingLR scheduler(optimizer, {1000, 0.0005});
  check_run(optimizer, scheduler,
            {{0, 0.2, 0.03},
             {1, 0.1999995077538854, 0.02999992721172741},
             {7, 0.1999758808925892, 0.029996433515445522},
             {500, 0.10024999999999992, 0.015249999999999998},
             {999, 0.0005004922461146433, 0.0005000727882725914},
             {1000, 0.0005, 0.0005},
             {1001, 0.0005004922461146433, 0.0005000727882725914},
             {1500, 0.10025000000000464, 0.015249999999996012},
             {2000, 0.2000000000000091, 0.029999999999992005},
             {2003, 0.19999556981412683, 0.029999344909849016},
             {5000, 0.0005, 0.0005}});
}

TEST_CASE("scheduler: OneCycleLR takes every group to the same rates", "[scheduler]") {
  Rate optimizer({0.2, 0.03});
  OneCycleLR scheduler(optimizer, {.max_lr = 0.5, .total_steps = 5001});
  check_run(optimizer, scheduler,
            {{0, 0.020000000000000018, 0.020000000000000018},
             {1, 0.020000526870339708, 0.020000526870339708},
             {7, 0.020025816193247836, 0.020025816193247836},
             {500, 0.1401016345256889, 0.1401016345256889},
             {999, 0.3797676504021687, 0.3797676504021687},
             {1000, 0.3802031829715711, 0.3802031829715711},
             {1001, 0.38063818777854147, 0.38063818777854147},
             {1500, 0.49999995067191016, 0.49999995067191016},
             {2000, 0.47518387730235984, 0.47518387730235984},
             {2003, 0.4748907048125236, 0.4748907048125236},
             {5000, 2e-06, 2e-06}});
}

TEST_CASE("scheduler: OneCycleLR goes along lines over a long run", "[scheduler]") {
  Rate optimizer({0.2, 0.03});
  OneCycleLR scheduler(optimizer, {.max_lr = 0.5, .total_steps = 5001, .anneal_strategy = Anneal::linear});
  check_run(optimizer, scheduler,
            {{0, 0.02, 0.02},
             {1, 0.02032014940305476, 0.02032014940305476},
             {7, 0.022241045821383313, 0.022241045821383313},
             {500, 0.18007470152737942, 0.18007470152737942},
             {999, 0.33982925365170413, 0.33982925365170413},
             {1000, 0.3401494030547589, 0.3401494030547589},
             {1001, 0.3404695524578137, 0.3404695524578137},
             {1500, 0.4999000203959208, 0.4999000203959208},
             {2000, 0.4284860174822178, 0.4284860174822178},
             {2003, 0.42805753346473563, 0.42805753346473563},
             {5000, 2.000000000002e-06, 2.000000000002e-06}});
}

TEST_CASE("scheduler: ReduceLROnPlateau lowers every group", "[scheduler]") {
  Rate optimizer({0.2, 0.03});
  ReduceLROnPlateau scheduler(optimizer, {.factor = 0.7, .patience = 3, .min_lr = 0.001});
  check_run(optimizer, scheduler,
            {{0, 0.2, 0.03},
             {1, 0.2, 0.03},
             {5, 0.13999999999999999, 0.020999999999999998},
             {20, 0.04801999999999999, 0.007202999999999998},
             {40, 0.008070721399999996, 0.0012106082099999993},
             {60, 0.0013564461456979987, 0.001},
             {100, 0.001, 0.001}});
}

TEST_CASE("scheduler: a group that comes later is an error, but for ReduceLROnPlateau", "[scheduler]") {
  Rate optimizer(0.2);
  StepLR step(optimizer, {1, 0.5});
  ReduceLROnPlateau plateau(optimizer, {.factor = 0.5, .patience = 0});
  optimizer.add(0.4);
  CHECK_THROWS_WITH(step.step(), Contains("[StepLR] made for 1 parameter groups") && Contains("has 2 now"));
  CHECK(optimizer.lrs() == std::vector<double>{0.2, 0.4});
  CHECK(step.state().at("last_epoch") == 0);
  plateau.step(1);
  plateau.step(1);
  CHECK(optimizer.lrs() == std::vector<double>{0.1, 0.2});
}

TEST_CASE("scheduler: a rate that overflows is an error that changes no group", "[scheduler]") {
  Rate optimizer({0.25, 1e308});
  ExponentialLR growing(optimizer, {4});
  CHECK_THROWS_WITH(growing.step(), Contains("learning rate is inf"));
  CHECK(optimizer.lrs() == std::vector<double>{0.25, 1e308});
  CHECK(growing.state().at("last_epoch") == 0);
}

TEST_CASE("scheduler: rates that others set are followed", "[scheduler]") {
  Rate optimizer({0.5, 0.25});
  LinearLR warm_up(optimizer, {0.5, 1.0, 2});
  ExponentialLR decay(optimizer, {0.5});
  CHECK(optimizer.lrs() == std::vector<double>{0.25, 0.125});
  warm_up.step();
  decay.step();
  CHECK(optimizer.lrs() == std::vector<double>{0.1875, 0.09375});  // 3/4 of the first rate, halved
}
