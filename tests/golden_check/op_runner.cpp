#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

Shape dims_of(const Json& attributes, const char* name) {
  const Json& dim = attributes.at(name);
  const auto dims = dim.is_array() ? dim.get<std::vector<Index>>() : std::vector<Index>{dim.get<Index>()};
  return Shape(std::span<const Index>(dims));
}

Size2d size_of(const Json& attributes, const char* name) {
  const Shape sizes = dims_of(attributes, name);
  require(sizes.ndim() == 1 || sizes.ndim() == 2, "golden", name, " is ", sizes, ", not one or two numbers");
  return {sizes[0], sizes.back()};
}

const OpRunners& op_runners() {
  static const OpRunners all = [] {
    OpRunners runners;
    add_attention_runners(runners);
    add_conv_runners(runners);
    add_index_runners(runners);
    add_loss_runners(runners);
    add_matmul_runners(runners);
    add_norm_runners(runners);
    add_pointwise_runners(runners);
    add_pool_runners(runners);
    add_reduce_runners(runners);
    add_softmax_runners(runners);
    return runners;
  }();
  return all;
}

}  // namespace lora::test
