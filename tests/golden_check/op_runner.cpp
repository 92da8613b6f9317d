#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

Shape dims_of(const Json& attributes, const char* name) {
  const Json& dim = attributes.at(name);
  const auto dims = dim.is_array() ? dim.get<std::vector<Index>>() : std::vector<Index>{dim.get<Index>()};
  return Shape(std::span<const Index>(dims));
}

const OpRunners& op_runners() {
  static const OpRunners all = [] {
    OpRunners runners;
    add_loss_runners(runners);
    add_matmul_runners(runners);
    add_pointwise_runners(runners);
    add_reduce_runners(runners);
    add_softmax_runners(runners);
    return runners;
  }();
  return all;
}

}  // namespace lora::test
