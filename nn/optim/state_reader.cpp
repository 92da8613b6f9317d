#include "nn/optim/state_reader.hpp"

namespace lora::optim {

StateReader::StateReader(std::string where, const NamedTensors& state) : where_(std::move(where)) {
  for (const auto& entry : state) {
    const bool fresh = left_.insert(entry).second;
    require(fresh, where_, "the state has '", entry.first, "' twice");
  }
}

Tensor StateReader::take(const std::string& name, const Shape& shape, DType dtype) {
  const auto it = left_.find(name);
  require(it != left_.end(), where_, "the state lacks '", name, "'; it is of another optimizer or damaged");
  const Tensor tensor = it->second;
  require(tensor.shape() == shape && tensor.dtype() == dtype, where_, "state '", name, "' is ", tensor, ", the parameters need ", dtype,
          shape, "; it is of another model");
  left_.erase(it);
  return tensor;
}

Tensor StateReader::take_like(const std::string& name, const Tensor& parameter) {
  Tensor copy = empty_like(parameter.detach());
  copy.copy_(take(name, parameter.shape(), parameter.dtype()));
  return copy;
}

std::vector<double> StateReader::take_lrs(std::size_t groups) {
  return take("lr", {static_cast<Index>(groups)}, DType::f64).to_vector<double>();
}

void StateReader::expect_empty() const {
  require(left_.empty(), where_, "the state has '", left_.empty() ? "" : left_.begin()->first,
          "', which these parameters have no use for; it is of another optimizer or model");
}

}  // namespace lora::optim
