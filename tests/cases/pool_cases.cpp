#include "core/ops/pool.hpp"

#include <sstream>

#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

struct PoolRow {
  Shape x;
  Size2d kernel, stride, padding = 0, dilation = 1;
};

const std::vector<PoolRow> kPools{
    {{2, 3, 4, 6}, 2, 2}, {{1, 2, 5, 7}, 3, 2, 1},   {{1, 2, 5, 4}, 3, 1, 1}, {{1, 1, 7, 5}, {2, 3}, {3, 1}, {1, 0}},
    {{1, 2, 1, 1}, 1, 1}, {{2, 2, 1, 1}, 3, 1, 1},   {{1, 67, 3, 3}, 2, 1},   {{0, 2, 4, 4}, 2, 2},
    {{2, 0, 4, 4}, 2, 2}, {{1, 1, 9, 8}, {9, 8}, 1}, {{1, 2, 3, 3}, 2, 5},
};

const std::vector<PoolRow> kDilated{{{1, 2, 7, 6}, 2, 1, 1, 2}, {{2, 1, 8, 8}, {3, 2}, {2, 3}, 1, {2, 3}}};

const std::vector<std::pair<Shape, Size2d>> kAdaptive{
    {{2, 3, 6, 4}, {3, 2}}, {{1, 2, 7, 5}, {3, 2}}, {{1, 2, 5, 3}, 1}, {{1, 2, 2, 3}, {5, 4}}, {{1, 1, 3, 3}, 3}, {{0, 2, 4, 4}, 2},
};

std::string label_of(const std::string& op, const Shape& x, const PoolRow& row) {
  std::ostringstream label;
  label << op << x << "/kernel " << row.kernel << " stride " << row.stride << " padding " << row.padding << " dilation " << row.dilation;
  return label.str();
}

/// Values in a random order with room between them: central differences must not change which is the largest.
Tensor separated(const Shape& shape) {
  const auto noise = random(shape).to_vector<double>();
  std::vector<double> values(noise.size());
  for (std::size_t i = 0; i < noise.size(); ++i) {
    for (const double other : noise) {
      values[i] += other < noise[i] ? 0.01 : 0.0;
    }
  }
  return from_values(values, shape);
}

}  // namespace

std::vector<OpCase> pool_cases() {
  std::vector<OpCase> cases;
  const auto add_max = [&cases](const PoolRow& row) {
    cases.push_back({label_of("max_pool2d", row.x, row),
                     [row](const Tensors& in) { return max_pool2d(in[0], row.kernel, row.stride, row.padding, row.dilation); },
                     {separated(row.x)}});
  };
  for (const PoolRow& row : kPools) {
    add_max(row);
    for (const bool counted : {true, false}) {
      cases.push_back({label_of("avg_pool2d", row.x, row) + (counted ? "" : ", padding not counted"),
                       [row, counted](const Tensors& in) { return avg_pool2d(in[0], row.kernel, row.stride, row.padding, counted); },
                       {random(row.x)}});
    }
  }
  for (const PoolRow& row : kDilated) {
    add_max(row);
  }
  for (const auto& entry : kAdaptive) {
    const Size2d output = entry.second;
    std::ostringstream label;
    label << entry.first << "->" << output;
    cases.push_back({"adaptive_avg_pool2d" + label.str(),
                     [output](const Tensors& in) { return adaptive_avg_pool2d(in[0], output); },
                     {random(entry.first)}});
    cases.push_back({"adaptive_max_pool2d" + label.str(),
                     [output](const Tensors& in) { return adaptive_max_pool2d(in[0], output); },
                     {separated(entry.first)}});
  }
  return cases;
}

}  // namespace lora::test
