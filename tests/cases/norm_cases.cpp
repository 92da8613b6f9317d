#include "core/ops/norm.hpp"

#include "core/ops/convert.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

// Central differences of a normalisation of few values: its third derivative grows as 1 / std^3.
constexpr double kSteep = 1e-6;

std::string label(const char* name, const Shape& shape) {
  std::ostringstream text;
  text << name << shape;
  return std::move(text).str();
}

Tensor with_x_statistics(const Tensors& x) { return batch_norm_training(x[0], x[1], x[2]).y; }

void add_batch_norm(std::vector<OpCase>& cases, const Shape& shape) {
  const Shape c{shape[1]};
  const Index values = shape[1] > 0 ? shape.numel() / shape[1] : shape[0];
  if (values > 1) {
    cases.push_back({label("batch_norm_training", shape), with_x_statistics, {random(shape), random(c), random(c)}, kSteep});
  }
  const auto mean = random(c), var = random(c, 0.5, 2.0);
  cases.push_back({label("batch_norm", shape),
                   [=](const Tensors& x) {
                     const auto same = [&](const Tensor& t) { return to(to(t, x[0].dtype()), x[0].device()); };
                     return batch_norm(x[0], {same(mean), same(var)}, x[1], x[2], 0.01);
                   },
                   {random(shape), random(c), random(c)}});
}

}  // namespace

std::vector<OpCase> norm_cases() {
  std::vector<OpCase> cases;
  for (const Shape& shape : {Shape{2, 3}, Shape{5, 1}, Shape{1, 3}, Shape{0, 3}, Shape{3, 0}, Shape{3, 0, 2}, Shape{2, 3, 5},
                             Shape{1, 2, 3, 4}, Shape{2, 33, 1, 3}, Shape{3, 65, 2}, Shape{1, 3, 1, 1}, Shape{2, 2, 2, 2, 2}}) {
    add_batch_norm(cases, shape);
  }
  cases.push_back(
      {"batch_norm_training/plain", [](const Tensors& x) { return batch_norm_training(x[0]).y; }, {random({4, 3, 2, 2})}, kSteep});
  cases.push_back({"batch_norm_training/bias alone",
                   [](const Tensors& x) { return batch_norm_training(x[0], {}, x[1], 0.1).y; },
                   {random({4, 3, 2}), random({3})}});
  struct Row {
    Shape shape, normalized;
  };
  for (const Row& row : {Row{{7}, {7}}, Row{{3, 5}, {5}}, Row{{3, 5}, {3, 5}}, Row{{2, 3, 4}, {4}}, Row{{2, 3, 4}, {3, 4}},
                         Row{{4, 1}, {1}}, Row{{0, 4}, {4}}, Row{{4, 0}, {0}}, Row{{2, 33}, {33}}, Row{{33, 2}, {2}}, Row{{3, 67}, {67}}}) {
    cases.push_back({label("layer_norm", row.shape) + label(" over ", row.normalized),
                     [n = row.normalized](const Tensors& x) { return layer_norm(x[0], n, x[1], x[2]); },
                     {random(row.shape), random(row.normalized), random(row.normalized)},
                     kSteep});
  }
  cases.push_back({"layer_norm/plain", [](const Tensors& x) { return layer_norm(x[0], {4}); }, {random({3, 4})}, kSteep});
  cases.push_back(
      {"layer_norm/bias alone", [](const Tensors& x) { return layer_norm(x[0], {4}, {}, x[1], 0.1); }, {random({3, 4}), random({4})}});
  return cases;
}

}  // namespace lora::test
