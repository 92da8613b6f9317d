#include "models/mlp.hpp"

#include "core/ops/pointwise.hpp"
#include "core/ops/view.hpp"

namespace lora::models {

Mlp::Mlp(const MlpOptions& options)
    : fc1_(options.inputs, options.hidden), fc2_(options.hidden, options.hidden), fc3_(options.hidden, options.classes) {
  child("fc1", fc1_);
  child("fc2", fc2_);
  child("fc3", fc3_);
}

Tensor Mlp::forward(const Tensor& x) const { return fc3_(relu(fc2_(relu(fc1_(flatten(x, 1)))))); }

std::string Mlp::describe() const {
  return "Mlp(" + std::to_string(fc1_.in_features()) + ", " + std::to_string(fc1_.out_features()) + ", " +
         std::to_string(fc2_.out_features()) + ", " + std::to_string(fc3_.out_features()) + ")";
}

}  // namespace lora::models
