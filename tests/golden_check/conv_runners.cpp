#include "core/ops/conv.hpp"

#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

Outputs run_conv2d(const NamedInputs& in, const Json& attributes) {
  const Conv2dOptions options{size_of(attributes, "stride"), size_of(attributes, "padding"), size_of(attributes, "dilation"),
                              attributes.at("groups").get<Index>()};
  return {{"y", conv2d(in.at("x"), in.at("weight"), in.count("bias") == 1 ? in.at("bias") : Tensor{}, options)}};
}

}  // namespace

void add_conv_runners(OpRunners& runners) {
  runners["conv2d"] = {{"x", "weight"}, {"stride", "padding", "groups", "dilation"}, run_conv2d, {"bias"}};
}

}  // namespace lora::test
