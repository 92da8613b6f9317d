#include "core/ops/loss.hpp"
#include "tests/support/op_case.hpp"

namespace lora::test {

namespace {

Tensor integers(const std::vector<std::int64_t>& values) { return from_values(values, {static_cast<Index>(values.size())}); }

}  // namespace

std::vector<OpCase> other_cases() {
  const auto loss = [](const Tensors& x) { return cross_entropy(x[0], x[1]); };
  return {
      {"cross_entropy", loss, {random({4, 6}), integers({0, 5, 3, 3})}},
      {"cross_entropy/one row", loss, {random({1, 3}), integers({2})}},
      {"cross_entropy/one class", loss, {random({3, 1}), integers({0, 0, 0})}},
      {"cross_entropy/large logits", loss, {random({3, 5}, -500, 500), integers({4, 0, 1})}},
  };
}

}  // namespace lora::test
