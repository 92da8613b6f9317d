#pragma once
// Taking an optimizer's state apart, with errors that name what does not fit.

#include <map>
#include <string>
#include <vector>

#include "core/serialize.hpp"
#include "core/tensor.hpp"

namespace lora::optim {

/// Gives tensors of a state by name, each once.
class StateReader {
 public:
  /// @param where  the optimizer, for errors. @throws Error if a name occurs twice
  StateReader(std::string where, const NamedTensors& state);

  bool has(const std::string& name) const { return left_.count(name) != 0; }
  /// @throws Error if it is missing or not of this shape and type
  Tensor take(const std::string& name, const Shape& shape, DType dtype);
  /// A copy on the parameter's device. @throws Error unless it has the parameter's shape and type
  Tensor take_like(const std::string& name, const Tensor& parameter);
  /// `lr`, one for each group.
  std::vector<double> take_lrs(std::size_t groups);
  /// @throws Error naming what was not taken
  void expect_empty() const;

 private:
  std::string where_;
  std::map<std::string, Tensor> left_;
};

}  // namespace lora::optim
