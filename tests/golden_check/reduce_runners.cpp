#include "core/ops/reduce.hpp"

#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

OpRunner reduction(Tensor (*op)(const Tensor&, const Shape&, bool)) {
  return {{"x"}, {"dim", "keepdim"}, [op](const NamedInputs& in, const Json& attributes) {
            return Outputs{{"y", op(in.at("x"), dims_of(attributes), attributes.at("keepdim").get<bool>())}};
          }};
}

}  // namespace

void add_reduce_runners(OpRunners& runners) {
  runners["sum"] = reduction(sum);
  runners["mean"] = reduction(mean);
}

}  // namespace lora::test
