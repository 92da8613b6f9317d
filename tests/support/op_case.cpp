#include "tests/support/op_case.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/random.hpp"
#include "core/ops/reduce.hpp"
#include "core/ops/view.hpp"

namespace lora::test {

namespace {

constexpr double kStep = 1e-6;

/// max that keeps a NaN.
double worse(double a, double b) { return std::isnan(a) || a > b ? a : b; }

/// sum(run(inputs) * cotangent) without recording.
double loss_of(const OpCase& c, const Tensors& inputs, const Tensor& cotangent) {
  const NoGrad no_grad;
  return sum(mul(c.run(inputs), cotangent)).item<double>();
}

double numeric_derivative(const OpCase& c, const Tensors& inputs, const Tensor& cotangent, std::size_t which, Index element) {
  Tensors moved = inputs;
  moved[which] = clone(inputs[which].detach());
  double* value = moved[which].mutable_data<double>() + element;
  const double center = *value;
  *value = center + kStep;
  const double above = loss_of(c, moved, cotangent);
  *value = center - kStep;
  const double below = loss_of(c, moved, cotangent);
  return (above - below) / (2.0 * kStep);
}

}  // namespace

Tensor random(const Shape& shape, double low, double high) {
  static Generator generator(20240601);
  return uniform(shape, low, high, DType::f64, generator);
}

Tensor reversed_strides(const Tensor& x) {
  Shape order;
  for (int i = x.ndim() - 1; i >= 0; --i) {
    order.push_back(i);
  }
  return permute(clone(permute(x, order)), order);
}

double max_difference(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) {
    return std::numeric_limits<double>::infinity();
  }
  const auto x = a.to_vector<double>();
  const auto y = b.to_vector<double>();
  double largest = 0.0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    largest = worse(std::abs(x[i] - y[i]), largest);
  }
  return largest;
}

double max_abs(const Tensor& a) { return max_difference(a, zeros(a.shape(), a.dtype())); }

double relative_distance(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) {
    return std::numeric_limits<double>::infinity();
  }
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool same = x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]));
    difference += same ? 0 : (x[i] - y[i]) * (x[i] - y[i]);
    norm += same && !std::isfinite(y[i]) ? 0 : y[i] * y[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(norm), 1e-30);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) {
    return false;
  }
  const Tensor x = to(contiguous(a.detach()), kCpu);
  const Tensor y = to(contiguous(b.detach()), kCpu);
  return x.nbytes() == 0 || std::memcmp(x.view().data, y.view().data, x.nbytes()) == 0;
}

Tensors gradients(const OpCase& c, const Tensors& inputs, const Tensor& cotangent) {
  Tensors leaves;
  for (const Tensor& input : inputs) {
    leaves.push_back(input.detach());
    if (input.dtype() == DType::f64) {
      leaves.back().requires_grad_();
    }
  }
  c.run(leaves).backward(cotangent);
  Tensors found;
  for (const Tensor& leaf : leaves) {
    if (leaf.requires_grad()) {
      found.push_back(leaf.grad().defined() ? leaf.grad() : zeros(leaf.shape(), leaf.dtype()));
    }
  }
  return found;
}

double gradient_error(const OpCase& c) {
  const Tensor cotangent = random(c.run(c.inputs).shape());
  const Tensors found = gradients(c, c.inputs, cotangent);
  double error = 0.0;
  std::size_t next = 0;
  for (std::size_t which = 0; which < c.inputs.size(); ++which) {
    if (c.inputs[which].dtype() != DType::f64) {
      continue;
    }
    const auto slopes = found[next++].to_vector<double>();
    for (std::size_t i = 0; i < slopes.size(); ++i) {
      const double expected = numeric_derivative(c, c.inputs, cotangent, which, static_cast<Index>(i));
      error = worse(std::abs(slopes[i] - expected) / std::max(1.0, std::abs(expected)), error);
    }
  }
  return error;
}

std::vector<OpCase> all_cases() {
  std::vector<OpCase> all;
  const auto add_family = [&all](const std::vector<OpCase>& family) { all.insert(all.end(), family.begin(), family.end()); };
  add_family(attention_cases());
  add_family(compare_cases());
  add_family(conv_cases());
  add_family(index_cases());
  add_family(join_cases());
  add_family(loss_cases());
  add_family(matmul_cases());
  add_family(norm_cases());
  add_family(pointwise_cases());
  add_family(pool_cases());
  add_family(reduce_cases());
  add_family(softmax_cases());
  add_family(view_cases());
  return all;
}

}  // namespace lora::test
