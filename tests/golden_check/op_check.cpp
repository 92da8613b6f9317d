#include "tests/golden_check/check.hpp"
#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

const std::string kGrad = "grad.";

const OpRunner& runner_of(Case& c) {
  const auto name = c.attribute<std::string>("op");
  const auto at = op_runners().find(name);
  require(at != op_runners().end(), "golden", "unknown op '", name, "'");
  for (const auto& attribute : at->second.attributes) {
    c.mark_attribute_read(attribute);
  }
  for (const auto& attribute : at->second.optional_attributes) {
    c.mark_attribute_read(attribute);
  }
  return at->second;
}

NamedInputs inputs_of(Case& c, const OpRunner& runner) {
  NamedInputs inputs;
  const auto take = [&](const std::string& name) {
    inputs[name] = c.input(name);
    if (c.has_tensor(kGrad + name)) {
      inputs[name].requires_grad_();
    }
  };
  for (const std::string& name : runner.inputs) {
    take(name);
  }
  for (const std::string& name : runner.optional_inputs) {
    if (c.has_tensor(name)) {
      take(name);
    }
  }
  return inputs;
}

}  // namespace

/// Output `y` and what else the op gives, and `grad.X` of sum(y * cotangent) for each input X that has one in the file.
void check_op(Case& c) {
  const OpRunner& runner = runner_of(c);
  const NamedInputs inputs = inputs_of(c, runner);
  const Outputs found = runner.run(inputs, c.attributes());
  found.at("y").backward(c.input("cotangent"));
  for (const auto& [name, tensor] : found) {
    c.expect(name, tensor.detach());
  }
  for (const auto& [name, tensor] : inputs) {
    if (tensor.requires_grad()) {
      c.expect(kGrad + name, tensor.grad());
    }
  }
}

}  // namespace lora::test
