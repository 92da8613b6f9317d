#include "core/ops/loss.hpp"
#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

Outputs run_cross_entropy(const NamedInputs& in, const Json& attributes) {
  require(attributes.at("reduction") == "mean" && attributes.at("label_smoothing") == 0.0, "golden",
          "unknown kind of cross_entropy: ", attributes.dump());
  return {{"y", cross_entropy(in.at("logits"), in.at("target"))}};
}

}  // namespace

void add_loss_runners(OpRunners& runners) {
  runners["cross_entropy"] = {{"logits", "target"}, {"label_smoothing", "reduction", "ignore_index"}, run_cross_entropy};
}

}  // namespace lora::test
