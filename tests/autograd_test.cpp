#include "core/autograd.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <thread>

#include "core/base/memory.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/index.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/optim.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/temp_folder.hpp"

using namespace lora;
using namespace lora::test;
using Catch::Matchers::Contains;

namespace {

Tensor leaf(const std::vector<double>& values) {
  Tensor x = from_values(values, {static_cast<Index>(values.size())});
  x.requires_grad_();
  return x;
}

std::vector<double> grad(const Tensor& x) { return x.grad().defined() ? x.grad().to_vector<double>() : std::vector<double>{}; }

std::size_t live_bytes() { return memory_stats().current_bytes; }

}  // namespace

TEST_CASE("autograd: a gradient is the sum over all paths", "[autograd]") {
  const Tensor x = leaf({2, -3});
  const Tensor y = x * x;                // 2x
  const Tensor z = y * x + y + 5.0 * x;  // 3x^2 + 2x + 5
  sum(z).backward();
  CHECK(grad(x) == std::vector<double>{21, 26});
}

TEST_CASE("autograd: a leaf used twice by one op gets both shares", "[autograd]") {
  const Tensor x = leaf({3});
  mul(x, x).backward();
  CHECK(grad(x) == std::vector<double>{6});
  const Tensor y = leaf({3});
  add(y, y).backward();
  CHECK(grad(y) == std::vector<double>{2});
  const Tensor z = leaf({3});
  div(z, z).backward();
  CHECK(grad(z) == std::vector<double>{0});
}

TEST_CASE("autograd: gradients accumulate until they are cleared", "[autograd]") {
  Tensor x = leaf({1, 2});
  sum(3.0 * x).backward();
  sum(4.0 * x).backward();
  CHECK(grad(x) == std::vector<double>{7, 7});
  x.set_grad({});
  CHECK_FALSE(x.grad().defined());
  x.backward(from_values(std::vector<double>{5, 6}, {2}));
  CHECK(grad(x) == std::vector<double>{5, 6});
}

TEST_CASE("autograd: only leaves keep a gradient", "[autograd]") {
  const Tensor x = leaf({1});
  const Tensor y = exp(x);
  const Tensor z = y * 2.0;
  z.backward();
  CHECK(x.is_leaf());
  CHECK(x.grad().defined());
  CHECK_FALSE(y.is_leaf());
  CHECK_FALSE(y.grad().defined());
  CHECK_FALSE(z.grad().defined());
  CHECK_FALSE(x.grad().requires_grad());
}

TEST_CASE("autograd: a second backward names the op, unless the graph was kept", "[autograd]") {
  const Tensor x = leaf({2});
  const Tensor y = tanh(x * x);
  y.backward({}, true);
  const auto once = grad(x);
  y.backward({}, false);
  CHECK(grad(x) == std::vector<double>{2 * once[0]});
  CHECK_THAT(error_of([&] { y.backward(); }), Contains("[tanh]") && Contains("retain_graph"));
  CHECK_THAT(error_of([&] { (y * 3.0).backward(); }), Contains("[tanh]"));
  CHECK(grad(x) == std::vector<double>{2 * once[0]});
}

TEST_CASE("autograd: a saved tensor that was changed in place is an error that names the op", "[autograd]") {
  struct Row {
    const char* op;
    std::function<Tensor(const Tensor& x, const Tensor& saved)> run;
    Tensor saved;
  };
  const auto i64 = [](std::vector<std::int64_t> v) { return from_values(v, {static_cast<Index>(v.size())}); };
  const std::vector<Row> rows{
      {"mul", [](const Tensor& x, const Tensor& s) { return mul(x, s); }, random({2, 2})},
      {"div", [](const Tensor& x, const Tensor& s) { return div(x, s); }, random({2, 2}, 1, 2)},
      {"matmul", [](const Tensor& x, const Tensor& s) { return matmul(x, s); }, random({2, 2})},
      {"linear", [](const Tensor& x, const Tensor& s) { return linear(x, s); }, random({2, 2})},
      {"linear_add",
       [](const Tensor& x, const Tensor& s) {
         return linear_add(zeros({2, 2}, DType::f64), x, s);
       },
       random({2, 2})},
      {"cross_entropy", [](const Tensor& x, const Tensor& s) { return cross_entropy(x, s); }, i64({0, 1})},
      {"index_select", [](const Tensor& x, const Tensor& s) { return index_select(x, 0, s); }, i64({0, 1})},
  };
  for (const Row& row : rows) {
    INFO(row.op);
    Tensor x = random({2, 2});
    x.requires_grad_();
    Tensor saved = row.saved;
    const Tensor y = sum(row.run(x, saved));
    narrow(saved, 0, 0, 1).fill_(1.0);  // a view counts
    CHECK_THAT(error_of([&] { y.backward(); }),
               Contains("[" + std::string(row.op) + "]") && Contains("changed in place") && Contains("@cpu"));
    CHECK_FALSE(x.grad().defined());
  }
  Tensor x = leaf({1});
  Tensor y = exp(x);
  {
    const NoGrad no_grad;
    y.fill_(0.0);
  }
  CHECK_THAT(error_of([&] { y.backward(); }), Contains("[exp]"));
}

TEST_CASE("autograd: in-place changes of what takes part in gradients are refused", "[autograd]") {
  Tensor x = leaf({1, 2});
  Tensor y = x * 2.0;
  Tensor part = narrow(x, 0, 0, 1);
  CHECK_THAT(error_of([&] { x.fill_(0.0); }), Contains("[fill_]") && Contains("f64[2]@cpu") && Contains("NoGrad"));
  CHECK_THAT(error_of([&] { y.zero_(); }), Contains("[fill_]"));
  CHECK_THAT(error_of([&] { x.copy_(ones({2})); }), Contains("[copy_]"));
  CHECK_THAT(error_of([&] { part.fill_(0.0); }), Contains("[fill_]"));
  CHECK(x.to_vector<double>() == std::vector<double>{1, 2});
  const NoGrad no_grad;
  x.fill_(3.0);
  CHECK(x.to_vector<double>() == std::vector<double>{3, 3});
}

TEST_CASE("autograd: copying a recorded tensor into one outside would lose its gradient, so it is refused", "[autograd]") {
  const Tensor x = leaf({1, 2});
  Tensor target = zeros({2}, DType::f64);
  CHECK_THAT(error_of([&] { target.copy_(x * 2.0); }), Contains("[copy_]") && Contains("detach()"));
  target.copy_((x * 2.0).detach());
  CHECK(target.to_vector<double>() == std::vector<double>{2, 4});
  const NoGrad no_grad;
  target.copy_(x);
  CHECK(target.to_vector<double>() == std::vector<double>{1, 2});
}

TEST_CASE("autograd: NoGrad nests, is of its thread, and ends with its scope", "[autograd]") {
  const Tensor x = leaf({1});
  CHECK(grad_enabled());
  {
    const NoGrad outer;
    {
      const NoGrad inner;
      CHECK_FALSE(grad_enabled());
    }
    CHECK_FALSE(grad_enabled());
    CHECK_FALSE((x * 2.0).requires_grad());
    bool elsewhere = false;
    std::thread([&] { elsewhere = grad_enabled(); }).join();
    CHECK(elsewhere);
  }
  CHECK(grad_enabled());
  CHECK((x * 2.0).requires_grad());
  CHECK_THROWS_AS(
      [&] {
        const NoGrad guard;
        fail("test", "x");
      }(),
      Error);
  CHECK(grad_enabled());
}

TEST_CASE("autograd: detach cuts the graph and keeps the data", "[autograd]") {
  const Tensor x = leaf({3});
  const Tensor y = (x * x).detach();
  CHECK_FALSE(y.requires_grad());
  CHECK(y.is_leaf());
  (y * x).backward();
  CHECK(grad(x) == std::vector<double>{9});
  CHECK(x.detach().storage() == x.storage());
}

TEST_CASE("autograd: backward wants a scalar or a gradient that fits", "[autograd]") {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 2.0;
  CHECK_THAT(error_of([&] { y.backward(); }), Contains("[backward]") && Contains("f64[2]@cpu"));
  CHECK_THAT(error_of([&] { y.backward(ones({3}, DType::f64)); }), Contains("f64[3]@cpu") && Contains("f64[2]@cpu"));
  CHECK_THAT(error_of([&] { y.backward(ones({2})); }), Contains("f32[2]@cpu"));
  CHECK_THAT(error_of([&] { ones({1}).backward(); }), Contains("does not depend"));
  CHECK_THAT(error_of([] { Tensor().backward(); }), Contains("before it was given a value"));
  y.backward(from_values(std::vector<double>{1, 10}, {2}));
  CHECK(grad(x) == std::vector<double>{2, 20});
}

TEST_CASE("autograd: requires_grad_ is for leaves of a computing type", "[autograd]") {
  Tensor x = leaf({1});
  Tensor y = x * 2.0;
  Tensor labels = arange(3);
  Tensor half = to(ones({2}), DType::bf16);
  CHECK_THAT(error_of([&] { y.requires_grad_(false); }), Contains("affine") && Contains("detach()"));
  CHECK_THAT(error_of([&] { labels.requires_grad_(); }), Contains("i64[3]@cpu"));
  CHECK_THAT(error_of([&] { half.requires_grad_(); }), Contains("bf16[2]@cpu"));
  CHECK_THAT(error_of([&] { x.set_grad(ones({2}, DType::f64)); }), Contains("[set_grad]") && Contains("f64[2]@cpu"));
  CHECK_THAT(error_of([] { ones({1}).set_grad(ones({1})); }), Contains("requires_grad_"));
  labels.requires_grad_(false);
  CHECK_FALSE(labels.requires_grad());
}

TEST_CASE("autograd: converting to integers leaves the graph", "[autograd]") {
  const Tensor x = leaf({1.5, 2.5});
  CHECK_FALSE(to(x, DType::i64).requires_grad());
  sum(to(to(x, DType::bf16), DType::f64)).backward();
  CHECK(grad(x) == std::vector<double>{1, 1});
}

TEST_CASE("autograd: an op without a gradient names itself, and no gradient is left half done", "[autograd]") {
  Tensor a = leaf({1, 2});
  Tensor b = leaf({3, 4});
  a.set_grad(full({2}, 7.0, DType::f64));
  const Tensor odd = record_without_gradient("odd", {b}, clone(b.detach()));
  const Tensor loss = sum(a * 2.0) + sum(odd) + sum(b * b);
  CHECK_THAT(error_of([&] { loss.backward(); }), Contains("[odd]") && Contains("no gradient"));
  CHECK(grad(a) == std::vector<double>{7, 7});
  CHECK_FALSE(b.grad().defined());
  CHECK(grad_enabled());
  const NoGrad no_grad;
  CHECK_FALSE(record_without_gradient("odd", {b}, clone(b)).requires_grad());
}

TEST_CASE("autograd: deep graphs neither recurse forwards nor back", "[autograd]") {
  constexpr int kDepth = 200'000;
  struct Row {
    const char* name;
    std::function<Tensor(const Tensor&)> step;
  };
  const std::vector<Row> rows{{"chain", [](const Tensor& y) { return y + 1.0; }},
                              {"both operands", [](const Tensor& y) { return mul(y, y); }},
                              {"residual", [](const Tensor& y) { return y + neg(y * 0.0); }}};
  for (const Row& row : rows) {
    INFO(row.name);
    const Tensor x = leaf({1});
    {
      Tensor y = x;
      for (int i = 0; i < kDepth; ++i) {
        y = row.step(y);
      }
      // not run backwards: destruction alone
    }
    CHECK_FALSE(x.grad().defined());
  }
  const Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < kDepth; ++i) {
    y = y + neg(y * 0.0);
  }
  y.backward();
  CHECK(grad(x) == std::vector<double>{1});
}

TEST_CASE("autograd: a graph's memory is given back", "[autograd]") {
  Tensor x = random({100, 50});
  x.requires_grad_();
  const std::size_t before = live_bytes();
  {
    const Tensor y = sum(exp(x) * tanh(x));
    CHECK(live_bytes() >= before + 2 * x.nbytes());  // exp and tanh are kept
  }
  CHECK(live_bytes() == before);  // dropped without backward: there is no cycle
  {
    const Tensor y = sum(exp(x) * tanh(x));
    y.backward();
    CHECK(live_bytes() <= before + x.nbytes() + 4096);  // y, which lives, has let go of what it saved; the gradient stays
  }
  x.set_grad({});
  CHECK(live_bytes() == before);
}

TEST_CASE("autograd: nothing is kept for the gradient of a frozen weight", "[autograd]") {
  const Tensor weight = random({64, 64});
  Tensor input = random({64, 64});
  const Tensor gain = random({64, 64});
  const auto kept = [&](const std::function<Tensor(const Tensor&)>& op) {
    Tensor x = clone(input);
    x.requires_grad_();
    const std::size_t before = live_bytes();
    Tensor temporary = x + 1.0;  // only what op saves keeps it alive
    const Tensor y = op(temporary);
    temporary = {};
    return live_bytes() - before - y.nbytes();
  };
  CHECK(kept([&](const Tensor& x) { return linear(x, weight); }) == 0);
  CHECK(kept([&](const Tensor& x) { return linear_add(x, x, weight); }) == 0);
  CHECK(kept([&](const Tensor& x) { return matmul(x, weight); }) == 0);
  CHECK(kept([&](const Tensor& x) { return mul(x, gain); }) == 0);
  Tensor trained = clone(weight);
  trained.requires_grad_();
  CHECK(kept([&](const Tensor& x) { return linear(x, trained); }) == input.nbytes());
}

TEST_CASE("autograd: frozen operands get no gradient, and none is computed", "[autograd]") {
  Tensor x = random({3, 4});
  Tensor w = random({5, 4});
  Tensor b = random({5});
  for (int mask = 1; mask < 8; ++mask) {
    for (Tensor* operand : {&x, &w, &b}) {
      operand->set_grad({});
    }
    x.requires_grad_((mask & 1) != 0);
    w.requires_grad_((mask & 2) != 0);
    b.requires_grad_((mask & 4) != 0);
    sum(linear(x, w, b)).backward();
    CHECK(x.grad().defined() == ((mask & 1) != 0));
    CHECK(w.grad().defined() == ((mask & 2) != 0));
    CHECK(b.grad().defined() == ((mask & 4) != 0));
  }
  bool wanted_first = true, wanted_second = false;
  x.requires_grad_(false);
  b.requires_grad_(true);
  record("probe", {x, b}, clone(b.detach()), [&](const Node& node, const Tensor& gy) -> Grads {
    wanted_first = node.wants(0);
    wanted_second = node.wants(1);
    return {{}, gy};
  }).backward(ones({5}, DType::f64));
  CHECK_FALSE(wanted_first);
  CHECK(wanted_second);
}

TEST_CASE("autograd: leaves own their gradients", "[autograd]") {
  Tensor a = leaf({1, 2});
  Tensor b = leaf({3, 4});
  const Tensor start = ones({2}, DType::f64);
  (a + b).backward(start);
  CHECK(a.grad().storage() != b.grad().storage());
  CHECK(a.grad().storage() != start.storage());
  b.grad().fill_(9.0);
  CHECK(grad(a) == std::vector<double>{1, 1});
  Tensor square = random({2, 3});
  square.requires_grad_();
  sum(expand(t(square), {4, 3, 2})).backward();
  CHECK(square.grad().is_contiguous());
  CHECK(grad(square) == std::vector<double>(6, 4.0));
}

TEST_CASE("autograd: gradients stay usable after an optimizer changed the leaf", "[autograd]") {
  Tensor w = leaf({1, 2});
  Tensor m = zeros({2}, DType::f64), v = zeros({2}, DType::f64);
  for (int step = 1; step <= 3; ++step) {
    const double before = w.to_vector<double>()[1];
    sum(w * w).backward();
    CHECK(grad(w)[1] == 2 * before);
    AdamStepOptions options;
    options.step = step;
    adam_step_(options, w.grad(), w, m, v);
    CHECK(grad(w)[1] == 2 * before);
    CHECK(w.to_vector<double>()[1] < before);
    w.set_grad({});
  }
}

TEST_CASE("autograd: a step between forward and backward is found", "[autograd]") {
  Tensor w = leaf({1, 2});
  Tensor m = zeros({2}, DType::f64), v = zeros({2}, DType::f64);
  const Tensor loss = sum(w * w);
  adam_step_({}, ones({2}, DType::f64), w, m, v);
  CHECK_THAT(error_of([&] { loss.backward(); }), Contains("[mul]") && Contains("changed in place"));
  Tensor result = w * w;
  CHECK_THAT(error_of([&] { adam_step_({}, ones({2}, DType::f64), result, m, v); }),
             Contains("[adam_step_]") && Contains("result of an op"));
}

TEST_CASE("autograd: empty tensors have empty gradients", "[autograd]") {
  Tensor x = zeros({0, 3}, DType::f64);
  x.requires_grad_();
  sum(exp(x) * 2.0).backward();
  CHECK(x.grad().shape() == Shape{0, 3});
}
