#include <catch2/catch.hpp>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"
#include "kernels/binary_ops.hpp"
#include "kernels/pointwise_ops.hpp"
#include "tests/support/devices.hpp"
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

Tensors moved(const Tensors& inputs, const Device& device) {
  Tensors out;
  for (const Tensor& input : inputs) {
    out.push_back(to(input, device));
  }
  return out;
}

// f64: the same sums in another order, of at most some dozen terms of about 1. A slope may be zero but for their rounding.
double parity_tolerance(const Tensor& want) { return 1e-12 * std::max(1.0, max_abs(want)); }

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

TEST_CASE("op: values and gradients on a GPU are those of the CPU", "[op][cuda]") {
  for (const Device& device : other_devices()) {
    for (const OpCase& c : all_cases()) {
      INFO(c.name);
      const Tensor want = c.run(c.inputs), cotangent = random(want.shape());
      const Tensors there = moved(c.inputs, device);
      const Tensor found = c.run(there);
      CHECK(found.device() == device);
      CHECK(max_difference(found, want) <= parity_tolerance(want));
      const Tensors slopes = gradients(c, c.inputs, cotangent), found_slopes = gradients(c, there, to(cotangent, device));
      REQUIRE(slopes.size() == found_slopes.size());
      for (std::size_t i = 0; i < slopes.size(); ++i) {
        CHECK(max_difference(found_slopes[i], slopes[i]) <= parity_tolerance(slopes[i]));
      }
    }
  }
}

TEST_CASE("op: f32 on a GPU agrees with f64", "[op][cuda]") {
  for (const Device& device : other_devices()) {
    for (const OpCase& c : all_cases()) {
      INFO(c.name);
      const Tensor exact = c.run(c.inputs);
      const Tensor rounded = c.run(moved(map_float(c.inputs, [](const Tensor& x) { return to(x, DType::f32); }), device));
      CHECK((rounded.dtype() == DType::f32 || exact.dtype() == DType::i64));
      CHECK(max_difference(rounded, exact) <= 2e-5 * std::max(1.0, max_abs(exact)));  // as on the CPU
    }
  }
}

TEST_CASE("op: strides of the inputs do not change the result on a GPU", "[op][cuda]") {
  for (const Device& device : other_devices()) {
    for (const OpCase& c : all_cases()) {
      INFO(c.name);
      const Tensor plain = c.run(c.inputs);
      const Tensors strided = map_float(moved(c.inputs, device), reversed_strides);
      CHECK(max_difference(plain, c.run(strided)) <= parity_tolerance(plain));
      const Tensor cotangent = random(plain.shape());
      const Tensors slopes = gradients(c, c.inputs, cotangent), found = gradients(c, strided, reversed_strides(to(cotangent, device)));
      for (std::size_t i = 0; i < slopes.size(); ++i) {
        CHECK(max_difference(found[i], slopes[i]) <= parity_tolerance(slopes[i]));
      }
    }
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
  LORA_PARAM_OPS(LORA_HAS_ROW)
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
  CHECK(silu(x).to_vector<double>()[3] == 800);
  CHECK(softplus(x).to_vector<double>() == std::vector<double>{0, 0, std::log(2.0), 800, inf});
  CHECK(erf(x).to_vector<double>() == std::vector<double>{-1, -1, 0, 1, 1});
  CHECK(expm1(x).to_vector<double>() == std::vector<double>{-1, -1, 0, inf, inf});
  CHECK(rsqrt(abs(x)).to_vector<double>()[2] == inf);
  CHECK(clamp(x, -1, std::nullopt).to_vector<double>() == std::vector<double>{-1, -1, 0, 800, inf});
  CHECK(clamp(x, 2, 1).to_vector<double>() == std::vector<double>{1, 1, 1, 1, 1});
  CHECK(pow(x, 0).to_vector<double>() == std::vector<double>{1, 1, 1, 1, 1});
}

TEST_CASE("op: NaN stays NaN", "[op]") {
  const Tensor nan = full({2}, std::nan(""), DType::f64), one = ones({2}, DType::f64);
  const auto all_nan = [](const Tensor& y) { return std::isnan(y.to_vector<double>()[0]) && std::isnan(y.to_vector<double>()[1]); };
#define LORA_NAN_STAYS(op) CHECK(all_nan(op(nan)));
  LORA_UNARY_OPS(LORA_NAN_STAYS)
#undef LORA_NAN_STAYS
  CHECK(all_nan(clamp(nan, 0, 1)));
  CHECK(all_nan(hardtanh(nan)));
  CHECK(all_nan(leaky_relu(nan)));
  CHECK(all_nan(elu(nan)));
  CHECK(all_nan(pow(nan, 1.5)));
  CHECK((all_nan(maximum(nan, one)) && all_nan(maximum(one, nan)) && all_nan(minimum(nan, one)) && all_nan(minimum(one, nan))));
}

TEST_CASE("op: slopes at corners are PyTorch's", "[op]") {
  const double inf = std::numeric_limits<double>::infinity();
  const auto slopes = [](const auto& op, const std::vector<double>& at) {
    Tensor x = from_values(at, {static_cast<Index>(at.size())});
    x.requires_grad_();
    op(x).backward(ones(x.shape(), DType::f64));
    return x.grad().to_vector<double>();
  };
  CHECK(slopes([](const Tensor& x) { return abs(x); }, {-2, -0.0, 0, 2}) == std::vector<double>{-1, 0, 0, 1});
  CHECK(slopes([](const Tensor& x) { return relu(x); }, {-2, 0, 2}) == std::vector<double>{0, 0, 1});
  CHECK(slopes([](const Tensor& x) { return clamp(x, -1, 1); }, {-2, -1, 0, 1, 2}) == std::vector<double>{0, 1, 1, 1, 0});
  CHECK(slopes([](const Tensor& x) { return hardtanh(x); }, {-2, -1, 0, 1, 2}) == std::vector<double>{0, 0, 1, 0, 0});
  CHECK(slopes([](const Tensor& x) { return leaky_relu(x, 0.5); }, {-1, 0, 1}) == std::vector<double>{0.5, 0.5, 1});
  CHECK(slopes([](const Tensor& x) { return pow(x, 0.0); }, {-1, 0, inf}) == std::vector<double>{0, 0, 0});
  CHECK(slopes([](const Tensor& x) { return pow(x, 1.0); }, {0, inf}) == std::vector<double>{1, 1});
  CHECK(slopes([](const Tensor& x) { return pow(x, 0.5); }, {0}) == std::vector<double>{inf});
  CHECK(slopes([](const Tensor& x) { return pow(x, 1.5); }, {0}) == std::vector<double>{0});
  const Tensor zero = zeros({}, DType::f64), minus_one = full({}, -1.0, DType::f64);
  CHECK(slopes([&](const Tensor& x) { return pow(x, zero); }, {0, 2}) == std::vector<double>{0, 0});
  CHECK(slopes([&](const Tensor& x) { return pow(zero, x); }, {0, 1, 2, -1}) == std::vector<double>{0, 0, 0, -inf});
  CHECK(std::isnan(slopes([&](const Tensor& x) { return pow(minus_one, x); }, {2})[0]));
  CHECK(slopes([&](const Tensor& x) { return maximum(x, zero); }, {-1, 0, 1}) == std::vector<double>{0, 0.5, 1});
  CHECK(slopes([&](const Tensor& x) { return maximum(zero, x); }, {-1, 0, 1}) == std::vector<double>{0, 0.5, 1});
  CHECK(slopes([&](const Tensor& x) { return minimum(x, zero); }, {-1, 0, 1}) == std::vector<double>{1, 0.5, 0});
  CHECK(slopes([&](const Tensor& x) { return minimum(zero, x); }, {-1, 0, 1}) == std::vector<double>{1, 0.5, 0});
}

TEST_CASE("op: gradients of f32 far from 0 do not cancel and do not overflow", "[op]") {
  const auto slope = [](const auto& op, double at) {
    Tensor x = full({1}, at);
    x.requires_grad_();
    op(x).backward(ones({1}));
    return x.grad().item<double>();
  };
  const auto near = [](double got, double want) { return std::abs(got - want) <= 1e-5 * std::abs(want); };  // some units of f32
  CHECK(near(slope([](const Tensor& x) { return gelu(x); }, -8), -3.97961e-14));
  CHECK(near(slope([](const Tensor& x) { return silu(x); }, -30), -2.71370e-12));
  CHECK(near(slope([](const Tensor& x) { return softplus(x); }, -30), 9.35762e-14));
  CHECK(near(slope([](const Tensor& x) { return expm1(x); }, -30), 9.35762e-14));
  for (const double far : {100.0, 1e20, 3e38}) {
    CHECK((slope([](const Tensor& x) { return gelu(x); }, far) == 1 && slope([](const Tensor& x) { return gelu(x); }, -far) == 0));
    CHECK((slope([](const Tensor& x) { return silu(x); }, far) == 1));
    CHECK(std::abs(slope([](const Tensor& x) { return silu(x); }, -far)) <= 1e-40);
    CHECK(
        (slope([](const Tensor& x) { return gelu_tanh(x); }, far) == 1 && slope([](const Tensor& x) { return gelu_tanh(x); }, -far) == 0));
  }
}

TEST_CASE("op: pointwise functions refuse what they cannot compute", "[op]") {
  const Tensor x = ones({2}), whole = zeros({2}, DType::i64);
  CHECK_THROWS_WITH(gelu(whole), Catch::Contains("[gelu]") && Catch::Contains("i64[2]"));
  CHECK_THROWS_WITH(elu(whole), Catch::Contains("[elu]"));
  CHECK_THROWS_WITH(pow(2.0, whole), Catch::Contains("[pow]"));
  CHECK_THROWS_WITH(maximum(x, ones({3})), Catch::Contains("[maximum]"));
  CHECK_THROWS_WITH(maximum(x, to(x, DType::f64)), Catch::Contains("differ in dtype"));
  CHECK_THROWS_WITH(clamp(x, std::nullopt), Catch::Contains("neither min nor max"));
  CHECK_THROWS_WITH(clamp(x, std::nan("")), Catch::Contains("NaN"));
  CHECK_THROWS_WITH(hardtanh(x, 1, -1), Catch::Contains("min <= max"));
}
