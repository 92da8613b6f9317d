#include "core/ops/convert.hpp"
#include "core/ops/norm.hpp"
#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

Tensor optional(const NamedInputs& in, const char* name) {
  const auto at = in.find(name);
  return at == in.end() ? Tensor{} : at->second;
}

Outputs run_batch_norm(const NamedInputs& in, const Json& attributes) {
  const Tensor &x = in.at("x"), weight = optional(in, "weight"), bias = optional(in, "bias");
  const auto eps = attributes.at("eps").get<double>();
  const BatchStatistics running{clone(in.at("running_mean")), clone(in.at("running_var"))};
  if (!attributes.at("training").get<bool>()) {
    return {{"y", batch_norm(x, running, weight, bias, eps)}};
  }
  const BatchNormResult result = batch_norm_training(x, weight, bias, eps);
  move_running_statistics(running, result.statistics, attributes.at("momentum").get<double>());
  return {{"y", result.y}, {"running_mean_after", running.mean}, {"running_var_after", running.var}};
}

Outputs run_layer_norm(const NamedInputs& in, const Json& attributes) {
  const Shape normalized = dims_of(attributes, "normalized_shape");
  return {{"y", layer_norm(in.at("x"), normalized, optional(in, "weight"), optional(in, "bias"), attributes.at("eps").get<double>())}};
}

}  // namespace

void add_norm_runners(OpRunners& runners) {
  runners["batch_norm"] = {{"x", "running_mean", "running_var"}, {"training", "eps"}, run_batch_norm, {"weight", "bias"}, {"momentum"}};
  runners["layer_norm"] = {{"x"}, {"normalized_shape", "eps"}, run_layer_norm, {"weight", "bias"}};
}

}  // namespace lora::test
