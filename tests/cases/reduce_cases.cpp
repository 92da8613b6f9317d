#include "core/ops/reduce.hpp"

#include <limits>

#include "core/ops/view.hpp"
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

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Reduction {
  const char* name;
  std::function<Tensor(const Tensor& x, const Shape& dims, bool keepdim)> run;
  bool of_nothing = true;  // whether a reduction of no elements has a value
  bool finite_of_one = true;
};

const std::vector<Reduction> kReductions{
    {"amax", [](const Tensor& x, const Shape& dims, bool keepdim) { return amax(x, dims, keepdim); }, false},
    {"amin", [](const Tensor& x, const Shape& dims, bool keepdim) { return amin(x, dims, keepdim); }, false},
    {"logsumexp", [](const Tensor& x, const Shape& dims, bool keepdim) { return logsumexp(x, dims, keepdim); }, false},
    {"norm1", [](const Tensor& x, const Shape& dims, bool keepdim) { return norm(x, 1.0, dims, keepdim); }},
    {"norm2", [](const Tensor& x, const Shape& dims, bool keepdim) { return norm(x, 2.0, dims, keepdim); }},
    {"norm inf", [](const Tensor& x, const Shape& dims, bool keepdim) { return norm(x, kInf, dims, keepdim); }, false},
    {"var", [](const Tensor& x, const Shape& dims, bool keepdim) { return var(x, dims, 1.0, keepdim); }, false, false},
    {"var/population", [](const Tensor& x, const Shape& dims, bool keepdim) { return var(x, dims, 0.0, keepdim); }, false},
    {"std", [](const Tensor& x, const Shape& dims, bool keepdim) { return std(x, dims, 0.5, keepdim); }, false},
};

/// Different values, none near another or near 0, where reductions have corners: shuffled steps of at least 0.07.
Tensor apart(const Shape& shape) {
  std::vector<double> values;
  for (Index i = 0; i < shape.numel(); ++i) {
    const double place = static_cast<double>(i * 37 % 101);
    values.push_back((i % 2 == 0 ? 1.0 : -1.0) * (0.5 + 0.07 * place));
  }
  return from_values(values, shape);
}

Index reduced_count(const Row& row) {
  Index n = 1;
  for (const Index dim : row.dims) {
    n *= row.shape[static_cast<int>(dim < 0 ? dim + row.shape.ndim() : dim)];
  }
  return n;
}

void add_row(std::vector<OpCase>& cases, const Row& row) {
  for (const Reduction& reduction : kReductions) {
    const Index n = reduced_count(row);
    if ((n == 0 && !reduction.of_nothing) || (n == 1 && !reduction.finite_of_one)) {
      continue;
    }
    for (const bool keepdim : {false, true}) {
      cases.push_back({label(reduction.name, row) + (keepdim ? " keepdim" : ""),
                       [run = reduction.run, dims = row.dims, keepdim](const Tensors& x) { return run(x[0], dims, keepdim); },
                       {apart(row.shape)}});
    }
  }
}

/// Without axes: over everything.
void add_scalars(std::vector<OpCase>& cases) {
  using Run = Tensor (*)(const Tensor&);
  const std::vector<std::pair<const char*, Run>> all{{"amax", amax}, {"amin", amin}, {"var", var}, {"std", std}};
  for (const auto& [name, run] : all) {
    cases.push_back({std::string(name) + "/all", [run = run](const Tensors& x) { return run(x[0]); }, {apart({3, 4})}});
  }
  cases.push_back({"norm/all", [](const Tensors& x) { return norm(x[0]); }, {apart({3, 4})}});
  cases.push_back({"norm1/all", [](const Tensors& x) { return norm(x[0], 1.0); }, {apart({40})}});
  cases.push_back({"amax/scalar", [](const Tensors& x) { return amax(x[0]); }, {apart({})}});
  cases.push_back({"norm/empty", [](const Tensors& x) { return norm(x[0]); }, {apart({0, 3})}});
  // a step of 1e-6 and values near 1000, which are rounded to 1e-13: 1e-7 each way
  cases.push_back({"logsumexp/large", [](const Tensors& x) { return logsumexp(x[0], {1}); }, {random({3, 40}, -1000, 1000)}, 1e-6});
  cases.push_back({"var/part of a tensor", [](const Tensors& x) { return var(narrow(x[0], 1, 1, 3), {0, 2}); }, {random({4, 5, 2})}});
}

}  // namespace

std::vector<OpCase> reduce_cases() {
  std::vector<OpCase> cases;
  for (const Row& row : kRows) {
    add_row(cases, row);
  }
  add_scalars(cases);
  for (const Row& row : kRows) {
    cases.push_back({label("sum", row), [dims = row.dims](const Tensors& x) { return sum(x[0], dims); }, {random(row.shape)}});
    cases.push_back(
        {label("sum/keepdim", row), [dims = row.dims](const Tensors& x) { return sum(x[0], dims, true); }, {random(row.shape)}});
    cases.push_back({label("mean", row), [dims = row.dims](const Tensors& x) { return mean(x[0], dims, true); }, {random(row.shape)}});
  }
  cases.push_back({"sum/of a scalar", [](const Tensors& x) { return sum(x[0], {-1}, true); }, {random({})}});
  cases.push_back({"amax/of a scalar", [](const Tensors& x) { return amax(x[0], {0}); }, {random({})}});
  cases.push_back({"sum/all", [](const Tensors& x) { return sum(x[0]); }, {random({3, 4})}});
  cases.push_back({"mean/all", [](const Tensors& x) { return mean(x[0]); }, {random({3, 4})}});
  cases.push_back({"sum/empty", [](const Tensors& x) { return sum(x[0], {0}); }, {random({0, 4})}});
  cases.push_back({"sum_to", [](const Tensors& x) { return sum_to(x[0], {3, 1}); }, {random({2, 3, 4})}});
  return cases;
}

}  // namespace lora::test
