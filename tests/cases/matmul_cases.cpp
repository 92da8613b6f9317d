#include "core/ops/matmul.hpp"

#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

const std::vector<std::pair<Shape, Shape>> kProducts{
    {{3, 4}, {4, 5}},       {{2, 3, 4}, {2, 4, 5}}, {{2, 1, 3, 4}, {5, 4, 2}}, {{4}, {4, 3}},       {{3, 4}, {4}},    {{4}, {4}},
    {{0, 4}, {4, 3}},       {{3, 0}, {0, 2}},       {{3, 4}, {4, 0}},          {{1, 1}, {1, 1}},    {{2, 3, 4}, {4}}, {{3}, {2, 3, 4}},
    {{2, 2, 2, 3}, {3, 2}}, {{7, 33}, {33, 9}},     {{2, 3}, {5, 3, 2}},       {{2, 5, 3}, {3, 1}},
};

struct LinearRow {
  Shape x;
  Index out;
};

const std::vector<LinearRow> kLinear{{{3, 4}, 5}, {{4}, 3},       {{2, 3, 4}, 1}, {{0, 4}, 2},
                                     {{2, 0}, 3}, {{2, 3, 0}, 4}, {{5, 1}, 1},    {{6, 17}, 33}};

}  // namespace

std::vector<OpCase> matmul_cases() {
  std::vector<OpCase> cases;
  for (const auto& [a, b] : kProducts) {
    std::ostringstream label;
    label << "matmul" << a << b;
    cases.push_back({label.str(), [](const Tensors& x) { return matmul(x[0], x[1]); }, {random(a), random(b)}});
  }
  // The axis of size 1 has the stride of the one around it, which a gap keeps from merging with the one inside.
  cases.push_back({"matmul/batches apart",
                   [](const Tensors& x) { return matmul(narrow(x[0], 2, 0, 2), x[1]); },
                   {random({3, 1, 4, 2, 3}), random({3, 2})}});
  cases.push_back({"matmul/itself transposed", [](const Tensors& x) { return matmul(x[0], t(x[0])); }, {random({3, 4})}});
  for (const LinearRow& row : kLinear) {
    std::ostringstream label;
    label << "linear" << row.x << "->" << row.out;
    const Index in = row.x.back();
    Shape out = row.x;
    out[out.ndim() - 1] = row.out;
    cases.push_back({label.str(),
                     [](const Tensors& x) { return linear(x[0], x[1], x[2]); },
                     {random(row.x), random({row.out, in}), random({row.out})}});
    cases.push_back(
        {label.str() + "/no bias", [](const Tensors& x) { return linear(x[0], x[1]); }, {random(row.x), random({row.out, in})}});
    cases.push_back({label.str() + "/add",
                     [](const Tensors& x) { return linear_add(x[2], x[0], x[1], -1.5); },
                     {random(row.x), random({row.out, in}), random(out)}});
  }
  return cases;
}

}  // namespace lora::test
