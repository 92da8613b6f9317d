#include "core/ops/softmax.hpp"

#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

struct Row {
  Shape shape;
  Index dim;
};

const std::vector<Row> kRows{{{}, 0},      {{1}, 0},          {{5}, -1},       {{3, 4}, 1},   {{3, 4}, 0},    {{0, 4}, 1},
                             {{4, 0}, 1},  {{2, 40}, 1},      {{33, 2}, 0},    {{17, 3}, -1}, {{3, 5, 4}, 1}, {{2, 33, 3}, -2},
                             {{3, 17}, 0}, {{2, 3, 2, 2}, 1}, {{2, 3, 70}, 1}, {{1, 1, 1}, 1}};

}  // namespace

std::vector<OpCase> softmax_cases() {
  std::vector<OpCase> cases;
  for (const Row& row : kRows) {
    std::ostringstream label;
    label << row.shape << " along " << row.dim;
    cases.push_back(
        {"softmax" + label.str(), [dim = row.dim](const Tensors& x) { return softmax(x[0], dim); }, {random(row.shape, -3, 3)}});
    cases.push_back(
        {"log_softmax" + label.str(), [dim = row.dim](const Tensors& x) { return log_softmax(x[0], dim); }, {random(row.shape, -3, 3)}});
  }
  cases.push_back({"softmax/large", [](const Tensors& x) { return softmax(x[0], 1); }, {random({3, 5}, -1000, 1000)}});
  cases.push_back({"log_softmax/large",
                   [](const Tensors& x) { return log_softmax(x[0], 1); },
                   {random({3, 5}, -1000, 1000)},
                   1e-5});  // central differences of values around 1000
  cases.push_back(
      {"softmax/part of a tensor", [](const Tensors& x) { return softmax(narrow(x[0], 1, 1, 3), 0); }, {random({4, 5, 2}, -3, 3)}});
  return cases;
}

}  // namespace lora::test
