#include "core/ops/pointwise.hpp"

#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

OpRunner unary(Tensor (*op)(const Tensor&)) {
  return {{"x"}, {}, [op](const NamedInputs& in, const Json&) { return Outputs{{"y", op(in.at("x"))}}; }};
}

OpRunner binary(Tensor (*op)(const Tensor&, const Tensor&)) {
  return {{"input", "other"}, {}, [op](const NamedInputs& in, const Json&) { return Outputs{{"y", op(in.at("input"), in.at("other"))}}; }};
}

OpRunner gelu_runner() {
  const auto run = [](const NamedInputs& in, const Json& attributes) {
    const std::string approximate = attributes.value("approximate", "none");
    require(approximate == "none" || approximate == "tanh", "golden", "unknown approximation of gelu: ", approximate);
    return Outputs{{"y", gelu(in.at("x"), approximate == "tanh" ? GeluApproximate::tanh : GeluApproximate::none)}};
  };
  return {{"x"}, {}, run, {}, {"approximate"}};
}

}  // namespace

void add_pointwise_runners(OpRunners& runners) {
  runners["add"] = binary(add);
  runners["sub"] = binary(sub);
  runners["mul"] = binary(mul);
  runners["div"] = binary(div);
  runners["relu"] = unary(relu);
  runners["exp"] = unary(exp);
  runners["tanh"] = unary(tanh);
  runners["sigmoid"] = unary(sigmoid);
  runners["silu"] = unary(silu);
  runners["gelu"] = gelu_runner();
}

}  // namespace lora::test
