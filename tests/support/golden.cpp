#include "tests/support/golden.hpp"

#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/ops/convert.hpp"
#include "core/ops/loss.hpp"
#include "core/ops/matmul.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/reduce.hpp"

namespace lora::test {

namespace {

using Json = nlohmann::json;
using Inputs = std::map<std::string, Tensor>;

constexpr std::string_view kGrad = "grad.";

/// An op with the names of its inputs and attributes in the files.
struct Runner {
  std::set<std::string> inputs, attributes;
  std::function<Tensor(const Inputs&, const Json&)> run;
};

Runner unary(Tensor (*op)(const Tensor&)) {
  return {{"x"}, {}, [op](const Inputs& in, const Json&) { return op(in.at("x")); }};
}

Runner binary(Tensor (*op)(const Tensor&, const Tensor&)) {
  return {{"input", "other"}, {}, [op](const Inputs& in, const Json&) { return op(in.at("input"), in.at("other")); }};
}

Shape dims_of(const Json& attrs) {
  const Json& dim = attrs.at("dim");
  const auto dims = dim.is_array() ? dim.get<std::vector<Index>>() : std::vector<Index>{dim.get<Index>()};
  return Shape(std::span<const Index>(dims));
}

Runner reduction(Tensor (*op)(const Tensor&, const Shape&, bool)) {
  return {{"x"}, {"dim", "keepdim"}, [op](const Inputs& in, const Json& attrs) {
            return op(in.at("x"), dims_of(attrs), attrs.at("keepdim").get<bool>());
          }};
}

Tensor run_cross_entropy(const Inputs& in, const Json& attrs) {
  require(attrs.at("reduction") == "mean" && attrs.at("label_smoothing") == 0.0, "golden", "unknown kind of cross_entropy: ", attrs.dump());
  return cross_entropy(in.at("logits"), in.at("target"));
}

const std::map<std::string, Runner>& runners() {
  static const std::map<std::string, Runner> table{
      {"add", binary(add)},
      {"sub", binary(sub)},
      {"mul", binary(mul)},
      {"div", binary(div)},
      {"matmul", binary(matmul)},
      {"relu", unary(relu)},
      {"exp", unary(exp)},
      {"tanh", unary(tanh)},
      {"sigmoid", unary(sigmoid)},
      {"sum", reduction(sum)},
      {"mean", reduction(mean)},
      {"cross_entropy", {{"logits", "target"}, {"label_smoothing", "reduction", "ignore_index"}, run_cross_entropy}},
  };
  return table;
}

/// What every case says of itself.
const std::set<std::string> kCommonAttributes{"case", "kind", "op", "torch", "peft"};

const Runner& runner_of(const Json& attrs) {
  require(attrs.at("kind") == "op", "golden", "unknown kind of case: ", attrs.dump());
  const auto at = runners().find(attrs.at("op").get<std::string>());
  require(at != runners().end(), "golden", "unknown op: ", attrs.dump());
  for (const auto& attribute : attrs.items()) {
    require(kCommonAttributes.count(attribute.key()) + at->second.attributes.count(attribute.key()) == 1, "golden", "unknown attribute '",
            attribute.key(), "' of ", at->first);
  }
  return at->second;
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

Inputs inputs_of(const SafetensorsFile& file, const Runner& runner) {
  Inputs inputs;
  for (const std::string& name : runner.inputs) {
    inputs[name] = clone(file.at(name));
    if (file.contains(std::string(kGrad) + name)) {
      inputs[name].requires_grad_();
    }
  }
  return inputs;
}

std::vector<std::string> compare_all(const SafetensorsFile& file, const Inputs& inputs, const Tensor& y) {
  std::map<std::string, Tensor> found{{"y", y}};
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
    const Runner& runner = runner_of(attrs);
    const Inputs inputs = inputs_of(file, runner);
    const Tensor y = runner.run(inputs, attrs);
    require(file.contains("y"), "golden", "the case has no y");
    y.backward(file.at("cotangent"));
    return compare_all(file, inputs, y.detach());
  } catch (const std::exception& error) {
    return {error.what()};
  }
}

}  // namespace lora::test
