#include "core/checkpoint.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <memory>

#include "core/autograd.hpp"
#include "core/base/memory.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "nn/batch_norm.hpp"
#include "nn/layers.hpp"
#include "nn/linear.hpp"
#include "nn/running_statistics.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

Tensor leaf(const Shape& shape) {
  Tensor x = random(shape);
  x.requires_grad_();
  return x;
}

/// f(x), checkpointed or not.
using Wrap = std::function<Tensor(const std::function<Tensor(const Tensor&)>& f, const Tensor& x)>;

Tensor plain(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) { return f(x); }
Tensor kept(const std::function<Tensor(const Tensor&)>& f, const Tensor& x) { return checkpoint(f, x); }

/// Loss, gradients of x and of all parameters, and a number drawn afterwards, of a network with dropout and a shared layer.
Tensors run_mlp(const Wrap& wrap, bool x_takes_part) {
  manual_seed(4);
  nn::Sequential block;
  block.add<nn::Linear>(6, 6);
  block.add<nn::Dropout>(0.5);
  block.add<nn::ReLU>();
  nn::Linear shared(6, 6);
  Tensor x = randn({5, 6});
  x.requires_grad_(x_takes_part);
  const auto part = [&](const Tensor& in) { return tanh(shared(block(shared(in)))) + in; };
  Tensor h = wrap(part, x);
  h = wrap(part, shared(h) * h);
  const Tensor loss = sum(wrap([&](const Tensor& in) { return shared(in) * in; }, h) * x);
  loss.backward();
  Tensors trace{loss.detach(), uniform({1}, 0, 1)};
  for (const Tensor& parameter : block.parameters()) {
    trace.push_back(parameter.grad());
  }
  for (const Tensor& parameter : shared.parameters()) {
    trace.push_back(parameter.grad());
  }
  if (x_takes_part) {
    trace.push_back(x.grad());
  }
  return trace;
}

void check_same(const Tensors& a, const Tensors& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO("tensor " << i);
    REQUIRE((a[i].defined() && b[i].defined()));
    CHECK(same_bits(a[i], b[i]));
  }
}

}  // namespace

TEST_CASE("checkpoint: values and gradients have the bits that they have without", "[checkpoint]") {
  for (const bool x_takes_part : {true, false}) {
    INFO(x_takes_part);
    check_same(run_mlp(kept, x_takes_part), run_mlp(plain, x_takes_part));
    const Wrap nested = [](const std::function<Tensor(const Tensor&)>& f, const Tensor& x) {
      return checkpoint([f](const Tensor& a) { return checkpoint(f, a); }, x);
    };
    check_same(run_mlp(nested, x_takes_part), run_mlp(plain, x_takes_part));
  }
}

TEST_CASE("checkpoint: nested ones with work around the inner", "[checkpoint]") {
  const Tensor w = leaf({3});
  const auto f = [&](const Wrap& wrap, const Tensor& x) {
    const auto inner = [w](const Tensor& a) { return dropout(a * w, 0.4) * tanh(a); };
    return wrap([inner, wrap, w](const Tensor& a) { return wrap(inner, exp(a) + w) * wrap(inner, a); }, x);
  };
  const auto gradients_by = [&](const Wrap& wrap) {
    manual_seed(9);
    Tensor x = full({3}, 0.3, DType::f64);
    x.requires_grad_();
    Tensor weight = w;
    weight.set_grad({});
    sum(f(wrap, x)).backward();
    return Tensors{x.grad(), w.grad()};
  };
  check_same(gradients_by(kept), gradients_by(plain));
}

TEST_CASE("checkpoint: what the function's ops save is let go", "[checkpoint]") {
  constexpr int kSegments = 6, kLayers = 6;
  const Tensor w = leaf({32, 32});
  const auto peak = [&](const Wrap& wrap) {
    const Tensor x = leaf({256, 32});
    const std::size_t before = memory_stats().current_bytes;
    reset_peak_memory();
    Tensor h = x;
    for (int s = 0; s < kSegments; ++s) {
      h = wrap(
          [&](const Tensor& in) {
            Tensor y = in;
            for (int i = 0; i < kLayers; ++i) {
              y = tanh(matmul(y, w));
            }
            return y;
          },
          h);
    }
    sum(h).backward();
    return (memory_stats().peak_bytes - before) / x.nbytes();
  };
  // kept are 36 tensors without; with, one a segment, the layers of one segment, and a few that are at work
  CHECK(peak(plain) >= kSegments * kLayers);
  CHECK(peak(kept) <= kSegments + kLayers + 6);
}

TEST_CASE("checkpoint: backward again, if the graph was kept", "[checkpoint]") {
  const Tensor x = leaf({3});
  int calls = 0;
  const Tensor y = sum(checkpoint(
      [&](const Tensor& a) {
        ++calls;
        return exp(a) * a;
      },
      x));
  CHECK(calls == 1);
  y.backward({}, true);
  const Tensor once = clone(x.grad());
  y.backward({}, false);
  CHECK(calls == 3);
  CHECK(same_bits(x.grad(), once * 2.0));
  CHECK_THAT(error_of([&] { y.backward(); }), Contains("retain_graph"));
  CHECK(same_bits(x.grad(), once * 2.0));
}

TEST_CASE("checkpoint: several inputs, of any kind", "[checkpoint]") {
  const Tensor a = leaf({2, 3}), b = leaf({3}), constant = random({3});
  const Tensor none;
  const auto f = [](const Tensor& p, const Tensor& q, const Tensor& c, const Tensor& u) { return u.defined() ? u : p * q * c + p; };
  const Tensor y = checkpoint(f, a, b, constant, none);
  sum(y * y).backward();
  const Tensors found{a.grad(), b.grad()};
  for (Tensor t : {a, b}) {
    t.set_grad({});
  }
  const Tensor z = f(a, b, constant, none);
  sum(z * z).backward();
  check_same(found, {a.grad(), b.grad()});
}

TEST_CASE("checkpoint: the result may be an input, a parameter or a view", "[checkpoint]") {
  const Tensor x = leaf({2, 3}), w = leaf({2, 3});
  const Tensor h = x * 2.0;
  const Tensor same = checkpoint([](const Tensor& a) { return a; }, h);
  const Tensor view = checkpoint([](const Tensor& a) { return t(a); }, x);
  const Tensor own = checkpoint([&](const Tensor&) { return w; }, x);
  CHECK(h.node()->op() == "affine");  // untouched
  CHECK(w.is_leaf());
  (sum(same) + sum(view * 3.0) + sum(own * 4.0)).backward();
  CHECK(x.grad().to_vector<double>() == std::vector<double>(6, 5.0));
  CHECK(w.grad().to_vector<double>() == std::vector<double>(6, 4.0));
}

TEST_CASE("checkpoint: nothing is recorded where nothing needs a gradient", "[checkpoint]") {
  const Tensor x = leaf({2});
  CHECK_FALSE(checkpoint([](const Tensor& a) { return exp(a); }, random({2})).requires_grad());
  CHECK_FALSE(checkpoint([](const Tensor& a) { return exp(a.detach()); }, x).requires_grad());
  const NoGrad no_grad;
  CHECK_FALSE(checkpoint([](const Tensor& a) { return exp(a); }, x).requires_grad());
}

TEST_CASE("checkpoint: the function sees that gradients are on, both times", "[checkpoint]") {
  const Tensor x = leaf({2});
  std::vector<bool> on, again;
  const Tensor y = checkpoint(
      [&](const Tensor& a) {
        on.push_back(grad_enabled());
        again.push_back(recomputing());
        return exp(a);
      },
      x);
  sum(y).backward();
  CHECK(on == std::vector<bool>{true, true});
  CHECK(again == std::vector<bool>{false, true});
  CHECK_FALSE(recomputing());
}

TEST_CASE("checkpoint: a change in place since is an error, and no gradient is left half done", "[checkpoint]") {
  const auto change = [](Tensor tensor) {
    const NoGrad no_grad;
    tensor.fill_(2.0);
  };
  for (const int which : {0, 1}) {
    const Tensor x = leaf({3}), w = leaf({3}), other = leaf({3});
    const Tensor h = x * 1.0;
    const Tensor loss = sum(other) + sum(checkpoint([&](const Tensor& a) { return a + w; }, h));
    change(which == 0 ? h : w);
    CHECK_THAT(error_of([&] { loss.backward(); }), Contains("[checkpoint]") && Contains("changed in place") && Contains("f64[3]@cpu"));
    CHECK_FALSE(other.grad().defined());
    CHECK_FALSE(x.grad().defined());
  }
}

TEST_CASE("checkpoint: a function that fails or does otherwise in backward", "[checkpoint]") {
  const Tensor x = leaf({3}), other = leaf({3});
  int calls = 0;
  const auto loss_of = [&](const std::function<Tensor(const Tensor&)>& second) {
    calls = 0;
    return sum(other * 2.0) + sum(checkpoint([&calls, second](const Tensor& a) { return calls++ == 0 ? exp(a) : second(a); }, x));
  };
  manual_seed(1);
  const PhiloxState random_before = default_generator().state();
  const Tensor fails = loss_of([](const Tensor& a) {
    uniform({8}, 0, 1);
    fail("odd", "on purpose ", a);
    return a;
  });
  CHECK_THAT(error_of([&] { fails.backward(); }), Contains("[odd]"));
  CHECK(default_generator().state() == random_before);
  CHECK_FALSE(recomputing());
  CHECK(grad_enabled());
  const Tensor shape = loss_of([](const Tensor& a) { return narrow(a, 0, 0, 1); });
  CHECK_THAT(error_of([&] { shape.backward(); }), Contains("[checkpoint]") && Contains("f64[3]") && Contains("f64[1]@cpu"));
  const Tensor through = checkpoint([](const Tensor& a) { return record_without_gradient("odd", {a}, clone(a.detach())); }, x);
  CHECK_THAT(error_of([&] { sum(through).backward(); }), Contains("[odd]") && Contains("no gradient"));
  CHECK_FALSE(x.grad().defined());
  CHECK_FALSE(other.grad().defined());
  CHECK_THAT(error_of([&] { checkpoint([](const Tensor&) { return Tensor{}; }, x); }), Contains("undefined"));
}

TEST_CASE("checkpoint: a leaf that the function makes is no trouble", "[checkpoint]") {
  const Tensor x = leaf({3});
  sum(checkpoint([](const Tensor& a) { return a * leaf({3}); }, x)).backward();
  CHECK(x.grad().defined());
}

TEST_CASE("checkpoint: batch norm counts a batch once, whenever the statistics are applied", "[checkpoint]") {
  for (const bool late : {false, true}) {
    nn::BatchNorm2d layer(2, {}, DType::f64), other(2, {}, DType::f64);
    const Tensor x = leaf({3, 2, 2, 2});
    nn::RunningStatistics statistics;
    other(x);
    const Tensor loss = sum(checkpoint([&](const Tensor& a) { return layer(a); }, x) * random({3, 2, 2, 2}));
    if (!late) {
      statistics.apply();
    }
    loss.backward();
    statistics.apply();
    const auto ours = layer.state_dict(), theirs = other.state_dict();
    CHECK(ours.back().tensor.item<std::int64_t>() == 1);
    CHECK(same_bits(ours[2].tensor, theirs[2].tensor));
    CHECK(layer.parameters()[0].grad().defined());
  }
}

TEST_CASE("checkpoint: a long chain of checkpoints is destroyed without recursion", "[checkpoint]") {
  const Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < 50'000; ++i) {
    y = checkpoint([](const Tensor& a) { return a + 1.0; }, y);
  }
  const Tensor dropped = y * 2.0;
  y.backward();
  CHECK(x.grad().item<double>() == 1);
}
