#include "core/ops/reduce.hpp"

#include "tests/golden_check/op_runner.hpp"

namespace lora::test {

namespace {

using Reduce = std::function<Tensor(const Tensor& x, const Shape& dims, bool keepdim, const Json& attributes)>;

/// PyTorch's axes: where none are given, all.
Shape axes_of(const Json& attributes, int ndim) {
  const Shape given = attributes.at("dim").is_null() ? Shape{} : dims_of(attributes);
  Shape all;
  for (int i = 0; i < ndim; ++i) {
    all.push_back(i);
  }
  return given.empty() ? all : given;
}

OpRunner reduction(const Reduce& op, const std::set<std::string>& more = {}) {
  OpRunner runner{{"x"}, {"dim", "keepdim"}, [op](const NamedInputs& in, const Json& attributes) {
                    const Tensor& x = in.at("x");
                    return Outputs{{"y", op(x, axes_of(attributes, x.ndim()), attributes.at("keepdim").get<bool>(), attributes)}};
                  }};
  runner.attributes.insert(more.begin(), more.end());
  return runner;
}

OpRunner reduction(Tensor (*op)(const Tensor&, const Shape&, bool)) {
  return reduction([op](const Tensor& x, const Shape& dims, bool keepdim, const Json&) { return op(x, dims, keepdim); });
}

OpRunner spread(Tensor (*op)(const Tensor&, const Shape&, double, bool)) {
  return reduction([op](const Tensor& x, const Shape& dims, bool keepdim,
                        const Json& attributes) { return op(x, dims, attributes.at("correction").get<double>(), keepdim); },
                   {"correction"});
}

}  // namespace

void add_reduce_runners(OpRunners& runners) {
  runners["sum"] = reduction(sum);
  runners["mean"] = reduction(mean);
  runners["amax"] = reduction(amax);
  runners["amin"] = reduction(amin);
  runners["logsumexp"] = reduction(logsumexp);
  runners["var"] = spread(var);
  runners["std"] = spread(std);
  runners["norm"] = reduction([](const Tensor& x, const Shape& dims, bool keepdim,
                                 const Json& attributes) { return norm(x, attributes.at("ord").get<double>(), dims, keepdim); },
                              {"ord"});
}

}  // namespace lora::test
