#include "core/ops/reduce.hpp"

#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

struct Row {
  Shape shape, dims;
};

const std::vector<Row> kRows{{{7}, {0}},        {{3, 5}, {0}},    {{3, 5}, {1}},         {{3, 5, 4}, {1}}, {{3, 5, 4}, {0, 2}},
                             {{3, 5, 4}, {-1}}, {{2, 3}, {0, 1}}, {{2, 3}, {}},          {{0, 4}, {1}},    {{1, 1}, {0}},
                             {{33, 2}, {0}},    {{2, 33}, {1}},   {{2, 2, 2, 3}, {1, 3}}};

std::string label(const char* name, const Row& row) {
  std::ostringstream text;
  text << name << row.shape << " over " << row.dims;
  return std::move(text).str();
}

}  // namespace

std::vector<OpCase> reduce_cases() {
  std::vector<OpCase> cases;
  for (const Row& row : kRows) {
    cases.push_back({label("sum", row), [dims = row.dims](const Tensors& x) { return sum(x[0], dims); }, {random(row.shape)}});
    cases.push_back(
        {label("sum/keepdim", row), [dims = row.dims](const Tensors& x) { return sum(x[0], dims, true); }, {random(row.shape)}});
    cases.push_back({label("mean", row), [dims = row.dims](const Tensors& x) { return mean(x[0], dims, true); }, {random(row.shape)}});
  }
  cases.push_back({"sum/all", [](const Tensors& x) { return sum(x[0]); }, {random({3, 4})}});
  cases.push_back({"mean/all", [](const Tensors& x) { return mean(x[0]); }, {random({3, 4})}});
  cases.push_back({"sum/empty", [](const Tensors& x) { return sum(x[0], {0}); }, {random({0, 4})}});
  cases.push_back({"sum_to", [](const Tensors& x) { return sum_to(x[0], {3, 1}); }, {random({2, 3, 4})}});
  return cases;
}

}  // namespace lora::test
