#include "core/ops/pointwise.hpp"

#include "core/ops/random.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

struct UnaryRow {
  const char* name;
  Unary op;
  double low, high;  // inside the op's domain and away from its corners
};

constexpr UnaryRow kUnary[] = {
    {"neg", neg, -3, 3},
    {"abs", abs, 0.01, 3},
    {"abs/negative", abs, -3, -0.01},
    {"square", square, -3, 3},
    {"reciprocal", reciprocal, 0.5, 3},
    {"sqrt", sqrt, 0.1, 5},
    {"rsqrt", rsqrt, 0.5, 5},
    {"exp", exp, -3, 3},
    {"expm1", expm1, -3, 3},
    {"log", log, 0.1, 5},
    {"log1p", log1p, -0.5, 5},
    {"sin", sin, -5, 5},
    {"cos", cos, -5, 5},
    {"tanh", tanh, -3, 3},
    {"erf", erf, -3, 3},
    {"relu", relu, 0.01, 3},
    {"relu/negative", relu, -3, -0.01},
    {"sigmoid", sigmoid, -8, 8},
    {"silu", silu, -8, 8},
    {"softplus", softplus, -8, 8},
    {"gelu", gelu, -5, 5},
    {"gelu_tanh", gelu_tanh, -5, 5},
    {"gelu/tanh", [](const Tensor& x) { return gelu(x, GeluApproximate::tanh); }, -5, 5},
    {"clamp/inside", [](const Tensor& x) { return clamp(x, -3, 3); }, -2, 2},
    {"clamp/above", [](const Tensor& x) { return clamp(x, -3, 1); }, 1.1, 2},
    {"clamp/min", [](const Tensor& x) { return clamp(x, 1); }, 0, 0.9},
    {"clamp/max", [](const Tensor& x) { return clamp(x, std::nullopt, 1); }, 0, 0.9},
    {"hardtanh/inside", [](const Tensor& x) { return hardtanh(x); }, -0.9, 0.9},
    {"hardtanh/below", [](const Tensor& x) { return hardtanh(x); }, -2, -1.1},
    {"pow/number 0", [](const Tensor& x) { return pow(x, 0.0); }, -2, 2},
    {"pow/number 1", [](const Tensor& x) { return pow(x, 1.0); }, -2, 2},
    {"pow/number 2", [](const Tensor& x) { return pow(x, 2.0); }, -2, 2},
    {"pow/number 3", [](const Tensor& x) { return pow(x, 3.0); }, -2, 2},
    {"pow/number -1", [](const Tensor& x) { return pow(x, -1.0); }, 0.5, 2},
    {"pow/number 1/2", [](const Tensor& x) { return pow(x, 0.5); }, 0.5, 2},
    {"pow/number 2.5", [](const Tensor& x) { return pow(x, 2.5); }, 0.5, 2},
    {"pow/of a number", [](const Tensor& x) { return pow(2.0, x); }, -2, 2},
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); }, 0.01, 3},
    {"leaky_relu/negative", [](const Tensor& x) { return leaky_relu(x); }, -3, -0.01},
    {"elu", [](const Tensor& x) { return elu(x, 0.7); }, 0.01, 3},
    {"elu/negative", [](const Tensor& x) { return elu(x, 0.7); }, -3, -0.01},
};

struct BinaryRow {
  const char* name;
  Binary op;
  double low = -2;  // of the first operand; the second is positive
};

constexpr BinaryRow kBinary[] = {{"add", add}, {"sub", sub}, {"mul", mul}, {"div", div}, {"pow", pow, 0.3}};

const std::vector<Shape> kShapes{{}, {0}, {1}, {7}, {3, 5}, {2, 0, 3}, {2, 3, 4}, {33}};

const std::vector<std::pair<Shape, Shape>> kBroadcasts{
    {{}, {3}}, {{3, 4}, {4}}, {{2, 1, 5}, {3, 1}}, {{1}, {2, 3}}, {{4, 1, 2}, {1, 3, 2}}, {{0, 3}, {3}}, {{5}, {5}}, {{2, 3}, {2, 1}}};

std::string label(const char* name, const Shape& shape) {
  std::ostringstream text;
  text << name << shape;
  return std::move(text).str();
}

}  // namespace

std::vector<OpCase> pointwise_cases() {
  std::vector<OpCase> cases;
  for (const UnaryRow& row : kUnary) {
    for (const Shape& shape : kShapes) {
      cases.push_back({label(row.name, shape), [op = row.op](const Tensors& x) { return op(x[0]); }, {random(shape, row.low, row.high)}});
    }
  }
  for (const BinaryRow& row : kBinary) {
    for (const auto& [a, b] : kBroadcasts) {
      const auto run = [op = row.op](const Tensors& x) { return op(x[0], x[1]); };
      cases.push_back({label(row.name, a), run, {random(a, row.low, 2), random(b, 0.5, 2)}});
      cases.push_back({label(row.name, b) + "/swapped", run, {random(b, row.low, 2), random(a, 0.5, 2)}});
    }
    cases.push_back({std::string(row.name) + "/itself", [op = row.op](const Tensors& x) { return op(x[0], x[0]); }, {random({4}, 1, 2)}});
  }
  // Two operands that are nowhere closer than a step of the differences.
  const auto largest = [](const Tensors& x) { return maximum(x[0], x[1]); };
  const auto smallest = [](const Tensors& x) { return minimum(x[0], x[1]); };
  for (const auto& [a, b] : kBroadcasts) {
    cases.push_back({label("maximum/first", a), largest, {random(a, 1.1, 2), random(b, 0, 1)}});
    cases.push_back({label("maximum/second", a), largest, {random(a, 0, 1), random(b, 1.1, 2)}});
    cases.push_back({label("minimum/first", a), smallest, {random(a, 0, 1), random(b, 1.1, 2)}});
    cases.push_back({label("minimum/second", a), smallest, {random(a, 1.1, 2), random(b, 0, 1)}});
  }
  cases.push_back({"maximum/itself", [](const Tensors& x) { return maximum(x[0], x[0]); }, {random({4})}});
  cases.push_back({"minimum/itself", [](const Tensors& x) { return minimum(x[0], x[0]); }, {random({4})}});
  cases.push_back({"affine", [](const Tensors& x) { return 2.0 - 3.0 * x[0] / 0.5 + 1.0; }, {random({3, 4})}});
  cases.push_back({"dropout",
                   [](const Tensors& x) {
                     Generator generator(5);
                     return dropout(x[0], 0.4, generator);
                   },
                   {random({6, 5})}});
  return cases;
}

}  // namespace lora::test
