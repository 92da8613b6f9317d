#include <catch2/catch.hpp>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"
#include "kernels/pointwise_ops.hpp"
#include "tests/support/op_case.hpp"

using namespace lora;
using namespace lora::test;

namespace {

/// f64 inputs replaced by `f` of them.
template <class F>
Tensors map_float(const Tensors& inputs, F f) {
  Tensors out;
  for (const Tensor& input : inputs) {
    out.push_back(input.dtype() == DType::f64 ? f(input) : input);
  }
  return out;
}

Tensor doubled_gradient(const Tensor& x) {  // identity with a wrong gradient
  return record("wrong", {x}, clone(x.detach()), [](const Node&, const Tensor& gy) -> Grads { return {gy * 2.0}; });
}

Tensor nan_gradient(const Tensor& x) {
  return record("nan", {x}, clone(x.detach()),
                [](const Node&, const Tensor& gy) -> Grads { return {gy * std::numeric_limits<double>::quiet_NaN()}; });
}

}  // namespace

TEST_CASE("op: gradients agree with central differences", "[op]") {
  for (const OpCase& c : all_cases()) {
    INFO(c.name);
    const double error = gradient_error(c);
    INFO("error " << error);
    CHECK(error <= c.grad_tolerance);
  }
}

TEST_CASE("op: f32 agrees with f64", "[op]") {
  for (const OpCase& c : all_cases()) {
    INFO(c.name);
    const Tensor exact = c.run(c.inputs);
    const Tensor rounded = c.run(map_float(c.inputs, [](const Tensor& x) { return to(x, DType::f32); }));
    CHECK((rounded.dtype() == DType::f32 || exact.dtype() == DType::i64));
    // inputs are rounded to 6e-8 of their size, and sums here have at most 33 terms
    CHECK(max_difference(rounded, exact) <= 2e-5 * std::max(1.0, max_abs(exact)));
  }
}

TEST_CASE("op: strides of the inputs do not change the result", "[op]") {
  for (const OpCase& c : all_cases()) {
    INFO(c.name);
    const Tensor plain = c.run(c.inputs);
    const Tensor strided = c.run(map_float(c.inputs, reversed_strides));
    // products and sums may take their terms in another order: a few units of the last place of sums of at most 66 terms
    CHECK(max_difference(plain, strided) <= 1e-13 * std::max(1.0, max_abs(plain)));
  }
}

TEST_CASE("op: strides of the inputs and of the cotangent do not change the gradients", "[op]") {
  for (const OpCase& c : all_cases()) {
    INFO(c.name);
    const Tensor cotangent = random(c.run(c.inputs).shape());
    const Tensors plain = gradients(c, c.inputs, cotangent);
    const Tensors strided = gradients(c, map_float(c.inputs, reversed_strides), reversed_strides(cotangent));
    const Tensor repeated = expand(random({}), cotangent.shape());  // as the gradient of sum() gives it
    const Tensors from_repeated = gradients(c, c.inputs, repeated), from_copy = gradients(c, c.inputs, clone(repeated));
    for (std::size_t i = 0; i < plain.size(); ++i) {  // tolerance as above
      CHECK(max_difference(plain[i], strided[i]) <= 1e-13 * std::max(1.0, max_abs(plain[i])));
      CHECK(max_difference(from_repeated[i], from_copy[i]) <= 1e-13 * std::max(1.0, max_abs(from_copy[i])));
    }
  }
}

TEST_CASE("op: every pointwise op has rows", "[op]") {
  std::set<std::string> names;
  for (const OpCase& c : pointwise_cases()) {
    names.insert(c.name.substr(0, c.name.find_first_of("[/")));
  }
#define LORA_HAS_ROW(op) CHECK(names.count(#op) == 1);
  LORA_UNARY_OPS(LORA_HAS_ROW)
  LORA_BINARY_OPS(LORA_HAS_ROW)
#undef LORA_HAS_ROW
}

TEST_CASE("op: the gradient check finds wrong and NaN gradients", "[op]") {
  const Tensor x = random({3});
  const double wrong = gradient_error({"wrong", [](const Tensors& in) { return doubled_gradient(in[0]); }, {x}});
  CHECK(!(wrong <= 1e-7));
  const double nan = gradient_error({"nan", [](const Tensors& in) { return nan_gradient(in[0]); }, {x}});
  CHECK(std::isnan(nan));
  CHECK(!(nan <= 1e-7));
  const Tensor bad = full({3}, std::numeric_limits<double>::quiet_NaN(), DType::f64);
  CHECK(!(max_difference(bad, x) <= 1e300));
}

TEST_CASE("op: extreme values", "[op]") {
  const double inf = std::numeric_limits<double>::infinity();
  const Tensor x = from_values(std::vector<double>{-inf, -800, 0, 800, inf}, {5});
  CHECK(sigmoid(x).to_vector<double>() == std::vector<double>{0, 0, 0.5, 1, 1});
  CHECK(tanh(x).to_vector<double>() == std::vector<double>{-1, -1, 0, 1, 1});
  CHECK(relu(x).to_vector<double>() == std::vector<double>{0, 0, 0, 800, inf});
  CHECK(std::isnan(relu(full({1}, std::nan(""))).item<double>()));
}
