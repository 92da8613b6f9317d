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
    {"neg", neg, -3, 3},    {"relu", relu, 0.01, 3}, {"relu/negative", relu, -3, -0.01}, {"exp", exp, -3, 3}, {"log", log, 0.1, 5},
    {"sqrt", sqrt, 0.1, 5}, {"tanh", tanh, -3, 3},   {"sigmoid", sigmoid, -8, 8},
};

struct BinaryRow {
  const char* name;
  Binary op;
};

constexpr BinaryRow kBinary[] = {{"add", add}, {"sub", sub}, {"mul", mul}, {"div", div}};

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
      cases.push_back({label(row.name, a), run, {random(a, -2, 2), random(b, 0.5, 2)}});
      cases.push_back({label(row.name, b) + "/swapped", run, {random(b, -2, 2), random(a, 0.5, 2)}});
    }
    cases.push_back({std::string(row.name) + "/itself", [op = row.op](const Tensors& x) { return op(x[0], x[0]); }, {random({4}, 1, 2)}});
  }
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
