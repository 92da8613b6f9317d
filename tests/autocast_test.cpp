// Products under Autocast: their values, their gradients, and where the scope begins and ends.

#include "core/autocast.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <thread>

#include "core/autograd.hpp"
#include "core/checkpoint.hpp"
#include "core/ops/attention.hpp"
#include "core/ops/conv.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/join.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/softmax.hpp"
#include "core/ops/view.hpp"
#include "lora/quantize_weights.hpp"
#include "nn/linear.hpp"
#include "tests/support/bf16_products.hpp"
#include "tests/support/devices.hpp"

using namespace lora;
using namespace lora::test;

namespace {

Tensor leaf(const Shape& shape, const Device& device, DType dtype = DType::f32) {
  Tensor x = to(to(random(shape), dtype), device).detach();
  x.requires_grad_();
  return x;
}

struct Operands {
  Tensor x, w, addend, gy;

  Operands(const ProductCase& c, const Device& device, DType dtype = DType::f32)
      : x(leaf(c.x, device, dtype)), w(leaf(c.w, device, dtype)), gy(to(to(random(c.y), dtype), device)) {
    if (c.adds()) {
      addend = leaf(c.addend, device, dtype);
    }
  }
  /// The addend for each element of the result.
  Tensor full_addend(const ProductCase& c) const {
    if (!c.adds()) {
      return {};
    }
    const Tensor start = addend.detach();
    return expand(c.y.ndim() == 4 && start.ndim() == 1 ? reshape(start, {-1, 1, 1}) : start, c.y);
  }
  Operands on(const Device& device) const {
    Operands there = *this;
    for (Tensor* t : {&there.x, &there.w, &there.addend, &there.gy}) {
      if (t->defined()) {
        *t = to(t->detach(), device).detach().requires_grad_(t != &there.gy);
      }
    }
    return there;
  }
};

/// y and the gradients of x, w and, where there is one, the addend.
Tensors run(const ProductCase& c, const Operands& in, DType forward, DType backward) {
  for (Tensor t : {in.x, in.w, in.addend}) {
    if (t.defined()) {
      t.set_grad({});
    }
  }
  Tensor y;
  {
    const Autocast scope(forward);
    y = c.run(in.x, in.w, in.addend);
  }
  const Autocast scope(backward);
  y.backward(in.gy);
  Tensors out{y.detach(), in.x.grad(), in.w.grad()};
  if (in.addend.defined()) {
    out.push_back(in.addend.grad());
  }
  return out;
}

Tensors run(const ProductCase& c, const Operands& in, DType dtype) { return run(c, in, dtype, dtype); }

bool same(const Tensors& a, const Tensors& b) {
  bool all = a.size() == b.size();
  for (std::size_t i = 0; all && i < a.size(); ++i) {
    all = same_bits(a[i], b[i]);
  }
  return all;
}

/// A number of bf16 that is the sum's: half of the distance to the next from where f32 may have ended.
void check_sums(const Tensor& found, const std::vector<Sum>& sums) {
  CHECK(found.dtype() == DType::f32);
  const std::vector<double> values = to(found, DType::f64).to_vector<double>();
  REQUIRE(values.size() == sums.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double slack = f32_error(sums[i]);
    INFO(i << ": " << values[i] << " for " << sums[i].value);
    CHECK(values[i] == nearest_bf16(values[i]));
    CHECK(std::abs(values[i] - sums[i].value) <= 0.5 * bf16_ulp(std::abs(sums[i].value) + slack) + slack);
  }
}

void check_against_loops(const ProductCase& c, const Device& device) {
  INFO(c.name);
  const Operands in(c, device);
  const ProductSums sums = bf16_sums(c, in.x, in.w, in.full_addend(c), in.gy);
  const Tensors found = run(c, in, DType::bf16);
  check_sums(found[0], sums.y);
  check_sums(found[1], sums.gx);
  check_sums(found[2], sums.gw);
  if (c.adds()) {
    CHECK(same_bits(found[3], run(c, in, DType::f32)[3]));  // the cotangent as it is
  }
}

/// Of values that are both rounded sums of the same terms.
void check_one_ulp(const Tensor& a, const Tensor& b, const std::vector<Sum>& sums) {
  const std::vector<double> x = to(a, DType::f64).to_vector<double>(), y = to(b, DType::f64).to_vector<double>();
  for (std::size_t i = 0; i < x.size(); ++i) {
    INFO(i << ": " << x[i] << " and " << y[i]);
    // Where terms cancel, orders of f32 may be further apart than bf16.
    CHECK(std::abs(x[i] - y[i]) <= bf16_ulp(std::max(std::abs(x[i]), std::abs(y[i]))) + 2 * f32_error(sums[i]));
  }
}

/// An op that computes products in its forward pass and in its gradient.
ProductCase attention_case() {
  ProductCase c{"attention", {2, 5, 8}, {2, 6, 8}, {2, 6, 8}, {2, 5, 8}};
  c.run = [](const Tensor& q, const Tensor& k, const Tensor& v) { return scaled_dot_product_attention(q, k, v); };
  return c;
}

ProductCase packed_case() {
  const auto layer = std::make_shared<nn::Linear>(32, 7);
  quantize_weights(*layer);
  ProductCase c{"4-bit weight", {3, 32}, {3, 32}, {}, {3, 7}};
  c.run = [layer](const Tensor& x, const Tensor& w, const Tensor&) { return (*layer)(x + w); };
  return c;
}

ProductCase checkpoint_case() {
  ProductCase c{"checkpoint", {4, 9}, {9, 9}, {9}, {4, 9}};
  c.run = [](const Tensor& x, const Tensor& w, const Tensor& bias) {
    const auto part = [](const Tensor& h, const Tensor& weight, const Tensor& b) { return tanh(linear(h, weight, b)); };
    return checkpoint(part, checkpoint(part, x, w, bias), w, bias);
  };
  return c;
}

std::vector<ProductCase> scope_cases() {
  std::vector<ProductCase> cases = product_cases();
  cases.insert(cases.end(), {attention_case(), packed_case(), checkpoint_case()});
  return cases;
}

}  // namespace

TEST_CASE("autocast: products and their gradients are those of rounded operands, rounded", "[autocast]") {
  for (const ProductCase& c : product_cases()) {
    check_against_loops(c, kCpu);
  }
}

TEST_CASE("autocast: products on a GPU are those of rounded operands, rounded", "[autocast][cuda]") {
  for (const Device& device : other_devices()) {
    for (const ProductCase& c : product_cases()) {
      check_against_loops(c, device);
    }
  }
}

TEST_CASE("autocast: CPU and GPU are at most one number of bf16 apart", "[autocast][cuda]") {
  for (const Device& device : other_devices()) {
    for (const ProductCase& c : product_cases()) {
      INFO(c.name);
      const Operands here(c, kCpu), there = here.on(device);
      const ProductSums sums = bf16_sums(c, here.x, here.w, here.full_addend(c), here.gy);
      const Tensors want = run(c, here, DType::bf16), found = run(c, there, DType::bf16);
      CHECK(found[0].device() == device);
      check_one_ulp(found[0], want[0], sums.y);
      check_one_ulp(found[1], want[1], sums.gx);
      check_one_ulp(found[2], want[2], sums.gw);
    }
  }
}

TEST_CASE("autocast: gradients are computed in what the forward pass was, wherever backward() runs", "[autocast][cuda]") {
  for (const Device& device : devices()) {
    for (const ProductCase& c : scope_cases()) {
      if (c.name == "4-bit weight" && device != kCpu) {
        continue;  // its layer is on the CPU
      }
      INFO(c.name << " on " << device);
      const Operands in(c, device);
      const Tensors plain = run(c, in, DType::f32), half = run(c, in, DType::bf16);
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(half[i].dtype() == DType::f32);
        CHECK_FALSE(same_bits(half[i], plain[i]));
        // Rounded are two factors, their sum and, of composed ops, what comes between: each by at most 2^-8 of itself.
        CHECK(relative_distance(half[i], plain[i]) <= 0.02);
      }
      CHECK(same(run(c, in, DType::bf16, DType::f32), half));
      CHECK(same(run(c, in, DType::f32, DType::bf16), plain));
    }
  }
}

TEST_CASE("autocast: a backward pass on another thread computes in what the forward pass was", "[autocast][threads]") {
  for (const ProductCase& c : scope_cases()) {
    INFO(c.name);
    const Operands in(c, kCpu);
    const Tensors want = run(c, in, DType::bf16);
    for (Tensor t : {in.x, in.w}) {
      t.set_grad({});
    }
    const Autocast scope(DType::bf16);
    const Tensor y = c.run(in.x, in.w, in.addend);
    DType there = DType::bf16;
    std::thread([&] {
      there = autocast_dtype();
      y.backward(in.gy);
    }).join();
    CHECK(there == DType::f32);
    CHECK((same_bits(in.x.grad(), want[1]) && same_bits(in.w.grad(), want[2])));
  }
}

TEST_CASE("autocast: a checkpointed part has the bits of one that is kept", "[autocast]") {
  ProductCase kept = checkpoint_case();
  kept.run = [](const Tensor& x, const Tensor& w, const Tensor& bias) { return tanh(linear(tanh(linear(x, w, bias)), w, bias)); };
  const Operands in(kept, kCpu);
  CHECK(same(run(checkpoint_case(), in, DType::bf16, DType::f32), run(kept, in, DType::bf16)));
}

TEST_CASE("autocast: f64, integers and all that is no product stay as they are", "[autocast][cuda]") {
  for (const Device& device : devices()) {
    for (const ProductCase& c : product_cases()) {
      INFO(c.name << " on " << device);
      const Operands in(c, device, DType::f64);
      CHECK(same(run(c, in, DType::bf16), run(c, in, DType::f32)));
    }
    const Tensor x = to(to(random({5, 7}), DType::f32), device), whole = to(arange(35), device);
    const auto others = [&] {
      return Tensors{
          exp(x),          x * x,         softmax(x, 1), sum(x, {0}), to(x, DType::i64), cat({whole, whole}, 0), to(whole, DType::f32),
          mean(square(x)), cat({x, x}, 0)};
    };
    const Tensors plain = others();
    const Autocast scope(DType::bf16);
    CHECK(same(others(), plain));
    CHECK_THROWS_WITH(matmul(reshape(whole, {5, 7}), reshape(whole, {7, 5})), Catch::Contains("computes in f32 or f64"));
  }
}

TEST_CASE("autocast: conv2d_input is in bf16 too", "[autocast][cuda]") {
  for (const Device& device : devices()) {
    const Tensor w = to(to(random({4, 3, 3, 3}), DType::f32), device), gy = to(to(random({2, 4, 5, 5}), DType::f32), device);
    Tensor x = leaf({2, 3, 7, 7}, device);
    const Autocast scope(DType::bf16);
    conv2d(x, w).backward(gy);
    CHECK(same_bits(conv2d_input({2, 3, 7, 7}, w, gy), x.grad()));
  }
}

TEST_CASE("autocast: operands that repeat, have gaps, or are empty", "[autocast][cuda]") {
  for (const Device& device : devices()) {
    const Tensor a = to(to(random({2, 1, 5, 7}), DType::f32), device), b = to(to(random({3, 7, 4}), DType::f32), device);
    const Autocast scope(DType::bf16);
    const Tensor y = matmul(a, b);
    REQUIRE(y.shape() == Shape{2, 3, 5, 4});
    for (Index i = 0; i < 6; ++i) {
      const Tensor one = matmul(select(select(a, 0, i / 3), 0, 0), select(b, 0, i % 3));
      CHECK(max_difference(select(select(y, 0, i / 3), 0, i % 3), one) <= bf16_ulp(max_abs(one)));  // f32 in another order may be
    }
    CHECK(max_difference(matmul(reversed_strides(a), narrow(cat({b, b}, 2), 2, 0, 4)), y) <= bf16_ulp(max_abs(y)));  // rounded elsewhere
    Tensor x = leaf({5, 7}, device), again = x.detach().requires_grad_();
    const Tensor w = select(b, 0, 0);
    const Tensor product = matmul(x, w), sums = matmul(again, w);
    product.backward(expand(to(full({}, 0.3), device), {5, 4}));
    sums.backward(to(full({5, 4}, 0.3), device));
    CHECK(max_difference(x.grad(), again.grad()) <= bf16_ulp(max_abs(again.grad())));  // likewise
    CHECK(linear(to(zeros({0, 7}), device), to(zeros({4, 7}), device)).shape() == Shape{0, 4});
    const Tensor none = linear(to(zeros({2, 0}), device), to(zeros({3, 0}), device), to(full({3}, 0.3), device));
    CHECK(to(none, DType::f64).to_vector<double>() == std::vector<double>(6, nearest_bf16(0.3)));
    const Tensor far = matmul(to(full({1, 1}, 3.4e38), device), to(ones({1, 1}), device));
    CHECK(far.item<double>() == std::numeric_limits<double>::infinity());  // beyond the largest number of bf16, 3.39e38
  }
}

TEST_CASE("autocast: scopes nest and are put back, after an error too", "[autocast]") {
  CHECK(autocast_dtype() == DType::f32);
  {
    const Autocast outer(DType::bf16);
    CHECK(autocast_dtype() == DType::bf16);
    {
      const Autocast inner(DType::f32);
      CHECK(autocast_dtype() == DType::f32);
    }
    CHECK(autocast_dtype() == DType::bf16);
    for (const DType dtype : {DType::f16, DType::f64, DType::i32, DType::boolean}) {
      CHECK_THROWS_WITH(Autocast(dtype),
                        Catch::Contains("[Autocast]") && Catch::Contains(std::string(name(dtype))) && Catch::Contains("pass DType::bf16"));
    }
    CHECK(autocast_dtype() == DType::bf16);
  }
  CHECK(autocast_dtype() == DType::f32);
  const auto fails = [] {
    const Autocast scope(DType::bf16);
    matmul(ones({2, 3}), ones({2, 3}));
  };
  CHECK_THROWS_AS(fails(), Error);
  CHECK(autocast_dtype() == DType::f32);
}
