#include "nn/layers.hpp"

#include <sstream>

#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/view.hpp"

namespace lora::nn {

Tensor ReLU::forward(const Tensor& x) const { return relu(x); }

Tensor Flatten::forward(const Tensor& x) const { return flatten(x, 1); }

Dropout::Dropout(double p) : p_(p) { require(p >= 0.0 && p < 1.0, "Dropout", "the probability must be in [0, 1), got ", p); }

Tensor Dropout::forward(const Tensor& x) const { return training() ? dropout(x, p_) : x; }

std::string Dropout::describe() const {
  std::ostringstream text;
  text << "Dropout(" << p_ << ')';
  return std::move(text).str();
}

Tensor Sequential::forward(const Tensor& x) const {
  Tensor y = x;
  for (const auto& module : modules_) {
    y = module->forward(y);
  }
  return y;
}

}  // namespace lora::nn
