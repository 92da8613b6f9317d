#include "core/ops/matmul.hpp"
#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

void add_matmul_runners(OpRunners& runners) {
  runners["matmul"] = {{"input", "other"}, {}, [](const NamedInputs& in, const Json&) {
                         return Outputs{{"y", matmul(in.at("input"), in.at("other"))}};
                       }};
}

}  // namespace lora::test
