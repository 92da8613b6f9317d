#pragma once
// Layers without parameters, and the container of layers in a row.

#include <memory>
#include <string>
#include <vector>

#include "nn/module.hpp"

namespace lora::nn {

/// max(x, 0).
class ReLU final : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "ReLU()"; }
};

/// [N, ..] to [N, product of the rest].
class Flatten final : public Module {
 public:
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "Flatten()"; }
};

/// In training an element becomes 0 with probability p, else x / (1 - p); in evaluation x itself. Draws from the default generator.
/// @source Srivastava et al. 2014
class Dropout final : public Module {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  double p_;
};

/// Modules in a row, named "0", "1", .. as in PyTorch.
class Sequential final : public Module {
 public:
  Sequential() = default;
  /// Appends a module, made from the arguments, and gives it back.
  template <class M, class... Args>
  M& add(Args&&... args) {
    auto module = std::make_unique<M>(std::forward<Args>(args)...);
    M& reference = *module;
    child(std::to_string(modules_.size()), reference);
    modules_.push_back(std::move(module));
    return reference;
  }
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override { return "Sequential(" + std::to_string(modules_.size()) + " modules)"; }

 private:
  std::vector<std::unique_ptr<Module>> modules_;
};

}  // namespace lora::nn
