#include "core/ops/index.hpp"

#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

void add_index_runners(OpRunners& runners) {
  runners["embedding"] = {{"weight", "index"}, {}, [](const NamedInputs& in, const Json&) {
                            return Outputs{{"y", embedding(in.at("weight"), in.at("index"))}};
                          }};
}

}  // namespace lora::test
