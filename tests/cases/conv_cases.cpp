#include "core/ops/conv.hpp"

#include <sstream>

#include "core/ops/convert.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

struct ConvRow {
  Shape x, weight;
  Conv2dOptions options = {};
};

const std::vector<ConvRow> kConvolutions{
    {{2, 3, 5, 4}, {4, 3, 3, 3}, {1, 1}},
    {{1, 2, 6, 7}, {3, 2, 3, 3}, {2, 1}},
    {{2, 3, 3, 2}, {5, 3, 1, 1}},
    {{1, 3, 5, 5}, {2, 3, 1, 1}, {2}},
    {{1, 4, 4, 4}, {4, 1, 3, 3}, {1, 1, 1, 4}},
    {{1, 4, 5, 3}, {6, 2, 3, 2}, {2, 1, 1, 2}},
    {{1, 2, 7, 7}, {3, 2, 3, 3}, {1, 2, 2}},
    {{1, 2, 7, 8}, {2, 2, 3, 2}, {3, {2, 1}, 2}},
    {{1, 1, 7, 9}, {2, 1, 3, 4}, {{2, 3}, {1, 2}, {1, 2}}},
    {{1, 1, 6, 6}, {1, 1, 2, 3}, {{4, 2}, 0, {2, 1}}},
    {{1, 2, 2, 1}, {2, 2, 5, 4}, {1, 2}},
    {{3, 2, 1, 1}, {2, 2, 1, 1}},
    {{2, 3, 1, 1}, {2, 3, 3, 3}, {1, 1}},
    {{1, 17, 3, 3}, {5, 17, 2, 2}},
    {{1, 2, 3, 3}, {33, 2, 2, 2}},
    {{1, 2, 3, 4}, {3, 2, 1, 1}, {1, 1}},
    {{0, 2, 4, 4}, {3, 2, 3, 3}},
    {{2, 0, 3, 3}, {2, 0, 2, 2}},
    {{2, 2, 3, 3}, {0, 2, 2, 2}},
    {{2, 2, 0, 3}, {2, 2, 2, 2}, {1, 1}},
};

std::string label_of(const ConvRow& row) {
  std::ostringstream label;
  const Conv2dOptions& o = row.options;
  label << "conv2d" << row.x << row.weight << "/stride " << o.stride << " padding " << o.padding << " dilation " << o.dilation << " groups "
        << o.groups;
  return label.str();
}

}  // namespace

std::vector<OpCase> conv_cases() {
  std::vector<OpCase> cases;
  for (const ConvRow& row : kConvolutions) {
    const Conv2dOptions options = row.options;
    const Tensor x = random(row.x), weight = random(row.weight), bias = random({row.weight[0]});
    cases.push_back({label_of(row), [options](const Tensors& in) { return conv2d(in[0], in[1], in[2], options); }, {x, weight, bias}});
    cases.push_back({label_of(row) + "/channels-last",
                     [options](const Tensors& in) { return conv2d(channels_last(in[0]), in[1], {}, options); },
                     {x, weight}});
    const Tensor y = random(conv2d(x, weight, {}, options).shape());
    cases.push_back(
        {label_of(row) + "/add", [options](const Tensors& in) { return conv2d_add(in[2], in[0], in[1], -1.5, options); }, {x, weight, y}});
  }
  cases.push_back({"conv2d_add/a number",
                   [](const Tensors& in) { return conv2d_add(in[2], in[0], in[1], 0.5); },
                   {random({2, 2, 3, 3}), random({3, 2, 2, 2}), random({})}});
  return cases;
}

}  // namespace lora::test
