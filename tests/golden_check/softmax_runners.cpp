#include "core/ops/softmax.hpp"

#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

OpRunner along_axis(Tensor (*op)(const Tensor&, Index)) {
  return {{"x"}, {"dim"}, [op](const NamedInputs& in, const Json& attributes) {
            return Outputs{{"y", op(in.at("x"), attributes.at("dim").get<Index>())}};
          }};
}

}  // namespace

void add_softmax_runners(OpRunners& runners) {
  runners["softmax"] = along_axis(softmax);
  runners["log_softmax"] = along_axis(log_softmax);
}

}  // namespace lora::test
