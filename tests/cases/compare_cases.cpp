#include "core/ops/compare.hpp"

#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

/// True for about half of the elements.
Tensor half_of(const Shape& shape) { return gt(random(shape), 0.0); }

struct WhereRow {
  const char* name;
  Shape condition, a, b;
};

const std::vector<WhereRow> kWhere{
    {"where", {}, {}, {}},
    {"where/empty", {0}, {0}, {1}},
    {"where/one", {1}, {1}, {1}},
    {"where/vector", {33}, {33}, {33}},
    {"where/3d", {2, 3, 5}, {2, 3, 5}, {2, 3, 5}},
    {"where/mask of rows", {4, 1}, {4, 3}, {4, 3}},
    {"where/scalar a", {3, 4}, {}, {3, 4}},
    {"where/scalar b", {3, 4}, {3, 4}, {}},
    {"where/all broadcast", {2, 1, 1}, {3, 1}, {5}},
    {"where/repeated mask", {4}, {3, 1}, {1, 1}},
};

}  // namespace

std::vector<OpCase> compare_cases() {
  std::vector<OpCase> cases;
  const auto choose = [](const Tensors& x) { return where(x[0], x[1], x[2]); };
  for (const WhereRow& row : kWhere) {
    cases.push_back({row.name, choose, {half_of(row.condition), random(row.a), random(row.b)}});
  }
  cases.push_back({"where/itself", [](const Tensors& x) { return where(x[0], x[1], x[1]); }, {half_of({7}), random({7})}});
  cases.push_back({"where/number a", [](const Tensors& x) { return where(x[0], 2.0, x[1]); }, {half_of({7}), random({7})}});
  cases.push_back({"where/number b", [](const Tensors& x) { return where(x[0], x[1], 2.0); }, {half_of({7}), random({7})}});
  const auto fill = [](const Tensors& x) { return masked_fill(x[0], x[1], -2.0); };
  cases.push_back({"masked_fill", fill, {random({3, 4}), half_of({3, 4})}});
  cases.push_back({"masked_fill/columns", fill, {random({2, 3, 4}), half_of({4})}});
  return cases;
}

}  // namespace lora::test
