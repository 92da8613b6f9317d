#include "tests/golden_check/op_check.hpp"

#include <cmath>
#include <sstream>

#include "core/ops/convert.hpp"
#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

constexpr std::string_view kGrad = "grad.";

/// What every case says of itself.
const std::set<std::string> kCommonAttributes{"case", "kind", "op", "torch", "peft"};

const OpRunner& runner_of(const Json& attrs) {
  require(attrs.at("kind") == "op", "golden", "unknown kind of case: ", attrs.dump());
  const auto at = op_runners().find(attrs.at("op").get<std::string>());
  require(at != op_runners().end(), "golden", "unknown op: ", attrs.dump());
  const OpRunner& runner = at->second;
  for (const auto& attribute : attrs.items()) {
    const std::string& name = attribute.key();
    require(kCommonAttributes.count(name) + runner.attributes.count(name) + runner.optional_attributes.count(name) == 1, "golden",
            "unknown attribute '", name, "' of ", at->first);
  }
  return runner;
}

std::string compare(const std::string& name, const Tensor& found, const Tensor& expected) {
  std::ostringstream text;
  if (!found.defined() || found.shape() != expected.shape() || found.dtype() != expected.dtype()) {
    text << name << " is " << found << ", expected " << expected;
    return text.str();
  }
  const auto a = found.to_vector<double>(), b = expected.to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!(std::abs(a[i] - b[i]) <= 1e-10 + 1e-9 * std::abs(b[i]))) {
      text.precision(17);
      text << name << " at " << i << " is " << a[i] << ", expected " << b[i];
      return text.str();
    }
  }
  return {};
}

NamedInputs inputs_of(const SafetensorsFile& file, const OpRunner& runner) {
  NamedInputs inputs;
  const auto take = [&](const std::string& name) {
    inputs[name] = clone(file.at(name));
    if (file.contains(std::string(kGrad) + name)) {
      inputs[name].requires_grad_();
    }
  };
  for (const std::string& name : runner.inputs) {
    take(name);
  }
  for (const std::string& name : runner.optional_inputs) {
    if (file.contains(name)) {
      take(name);
    }
  }
  return inputs;
}

std::vector<std::string> compare_all(const SafetensorsFile& file, const NamedInputs& inputs, Outputs found) {
  for (const auto& [name, tensor] : inputs) {
    found[std::string(kGrad) + name] = tensor.grad();
  }
  std::vector<std::string> failures;
  for (const auto& [name, expected] : file.tensors) {
    if (inputs.count(name) == 1 || name == "cotangent") {
      continue;
    }
    const std::string failure = found.count(name) == 1 ? compare(name, found[name], expected) : "unknown tensor " + name;
    if (!failure.empty()) {
      failures.push_back(failure);
    }
  }
  return failures;
}

}  // namespace

std::vector<std::string> golden_failures(const SafetensorsFile& file) {
  try {
    const Json attrs = Json::parse(file.metadata.at("attrs"));
    const OpRunner& runner = runner_of(attrs);
    const NamedInputs inputs = inputs_of(file, runner);
    const Outputs found = runner.run(inputs, attrs);
    require(file.contains("y"), "golden", "the case has no y");
    found.at("y").backward(file.at("cotangent"));
    return compare_all(file, inputs, found);
  } catch (const std::exception& error) {
    return {error.what()};
  }
}

}  // namespace lora::test
