#include "core/ops/index.hpp"
#include "core/ops/view.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

Tensor integers(const std::vector<std::int64_t>& values) { return from_values(values, {static_cast<Index>(values.size())}); }

}  // namespace

std::vector<OpCase> other_cases() {
  const auto select = [](const Tensors& x) { return index_select(x[0], x[1]); };
  return {
      {"index_select", select, {random({5, 3}), integers({4, 0, 4, 2})}},
      {"index_select/vector", select, {random({5}), integers({1, 1})}},
      {"index_select/3d", select, {random({2, 3, 2}), integers({1})}},
      {"index_select/none", select, {random({2, 3}), integers({})}},
  };
}

}  // namespace lora::test
