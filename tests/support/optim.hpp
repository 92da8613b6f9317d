#pragma once
// What tests of optimizers and schedulers share: golden cases, and parameters with made-up gradients.

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/ops/convert.hpp"
#include "core/serialize.hpp"
#include "nn/optim/optimizer.hpp"
#include "tests/support/source_file.hpp"

namespace lora::test {

/// A file of tests/golden and the JSON object `attrs` of its metadata: what to build, by PyTorch's names.
struct GoldenCase {
  SafetensorsFile file;
  nlohmann::json attrs;
  explicit GoldenCase(const std::string& name)
      : file(load_safetensors(source_file("tests/golden/" + name + ".safetensors"))),
        attrs(nlohmann::json::parse(file.metadata.at("attrs"))) {}
  double number(const char* key) const { return attrs.at(key).get<double>(); }
  std::int64_t count(const char* key) const { return attrs.at(key).get<std::int64_t>(); }
  bool flag(const char* key) const { return attrs.at(key).get<bool>(); }
  std::string text(const char* key) const { return attrs.at(key).get<std::string>(); }
  std::vector<double> values(const char* tensor) const { return file.at(tensor).to_vector<double>(); }
};

/// An optimizer that only has learning rates, one for each group.
class Rate final : public optim::Optimizer {
 public:
  explicit Rate(const std::vector<double>& lrs) : Optimizer("Rate") {
    for (const double lr : lrs) {
      add(lr);
    }
  }
  explicit Rate(double lr) : Rate(std::vector<double>{lr}) {}
  void add(double lr) { add_group({zeros({1})}, lr); }
  NamedTensors state() const override { return {}; }
  void load_state(const NamedTensors&) override {}

 private:
  void update(std::size_t, std::size_t, const Tensor&) override {}
};

inline Tensor parameter(const std::vector<double>& values, const Shape& shape, DType dtype = DType::f64) {
  Tensor p = to(from_values(values, shape), dtype);
  p.requires_grad_();
  return p;
}

/// Gives element i of every parameter the gradient sin(k + i).
inline void give_gradients(const std::vector<Tensor>& parameters, int k) {
  for (Tensor p : parameters) {
    std::vector<double> g(static_cast<std::size_t>(p.numel()));
    for (std::size_t i = 0; i < g.size(); ++i) {
      g[i] = std::sin(k + static_cast<double>(i));
    }
    p.set_grad(to(from_values(g, p.shape()), p.dtype()));
  }
}

/// A step with these gradients.
inline void step_with(optim::Optimizer& optimizer, int k) {
  give_gradients(optimizer.parameters(), k);
  optimizer.step();
}

inline NamedTensors copied(const NamedTensors& state) {
  NamedTensors copy;
  for (const auto& entry : state) {
    copy.emplace_back(entry.first, clone(entry.second));
  }
  return copy;
}

/// Whether |got - want| <= absolute + relative |want| for every element, as many as there are; false for NaN.
inline bool all_close(const std::vector<double>& got, const std::vector<double>& want, double absolute, double relative) {
  bool close = got.size() == want.size();
  for (std::size_t i = 0; close && i < got.size(); ++i) {
    close = std::abs(got[i] - want[i]) <= absolute + relative * std::abs(want[i]);
  }
  return close;
}

}  // namespace lora::test
