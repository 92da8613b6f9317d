#include "core/ops/pool.hpp"

#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

Outputs run_max_pool2d(const NamedInputs& in, const Json& attributes) {
  return {{"y", max_pool2d(in.at("x"), size_of(attributes, "kernel"), size_of(attributes, "stride"), size_of(attributes, "padding"))}};
}

Outputs run_avg_pool2d(const NamedInputs& in, const Json& attributes) {
  return {{"y", avg_pool2d(in.at("x"), size_of(attributes, "kernel"), size_of(attributes, "stride"), size_of(attributes, "padding"),
                           attributes.at("count_include_pad").get<bool>())}};
}

}  // namespace

void add_pool_runners(OpRunners& runners) {
  runners["max_pool2d"] = {{"x"}, {"kernel", "stride", "padding"}, run_max_pool2d};
  runners["avg_pool2d"] = {{"x"}, {"kernel", "stride", "padding", "count_include_pad"}, run_avg_pool2d};
}

}  // namespace lora::test
