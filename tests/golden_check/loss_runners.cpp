#include "core/ops/loss.hpp"

#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

Reduction reduction_of(const Json& attributes) {
  const auto name = attributes.at("reduction").get<std::string>();
  require(name == "none" || name == "mean" || name == "sum", "golden", "unknown reduction '", name, "'");
  return name == "none" ? Reduction::none : name == "mean" ? Reduction::mean : Reduction::sum;
}

Outputs run_cross_entropy(const NamedInputs& in, const Json& attributes) {
  CrossEntropyOptions options;
  options.label_smoothing = attributes.at("label_smoothing").get<double>();
  options.ignore_index = attributes.at("ignore_index").get<Index>();
  options.reduction = reduction_of(attributes);
  return {{"y", cross_entropy(in.at("logits"), in.at("target"), options)}};
}

OpRunner pair_loss(Tensor (*op)(const Tensor&, const Tensor&, Reduction)) {
  return {{"input", "target"}, {"reduction"}, [op](const NamedInputs& in, const Json& attributes) {
            return Outputs{{"y", op(in.at("input"), in.at("target"), reduction_of(attributes))}};
          }};
}

}  // namespace

void add_loss_runners(OpRunners& runners) {
  runners["cross_entropy"] = {{"logits", "target"}, {"label_smoothing", "reduction", "ignore_index"}, run_cross_entropy};
  runners["mse_loss"] = pair_loss(mse_loss);
  runners["l1_loss"] = pair_loss(l1_loss);
  runners["binary_cross_entropy_with_logits"] = pair_loss(binary_cross_entropy_with_logits);
}

}  // namespace lora::test
