#pragma once
// One row of the op table: an op on given inputs. Gradient, f32 parity and strided inputs come with the row.

#include <functional>
#include <string>
#include <vector>

#include "core/tensor.hpp"

namespace lora::test {

using Tensors = std::vector<Tensor>;

struct OpCase {
  std::string name;
  std::function<Tensor(const Tensors&)> run;
  Tensors inputs;                // f64 ones are differentiated, others are passed as they are
  double grad_tolerance = 1e-7;  // central differences with h = 1e-6 in f64: truncation 1e-12, rounding 1e-10, times the size of the sums
};

/// Uniform f64 values, different for each call in a fixed order.
Tensor random(const Shape& shape, double low = -1.0, double high = 1.0);

/// A tensor of the same values with other strides: the axes lie in memory in reverse order.
Tensor reversed_strides(const Tensor& x);

/// max |a - b| over elements, in f64; infinite if shapes differ, NaN if any difference is.
double max_difference(const Tensor& a, const Tensor& b);

/// Largest |a|.
double max_abs(const Tensor& a);

/// |a - b| over all elements by the larger of |b| and 1e-30, Euclidean; infinite if shapes differ, NaN if an element is NaN in one alone.
double relative_distance(const Tensor& a, const Tensor& b);

/// Every bit of shape, dtype and values is the same.
bool same_bits(const Tensor& a, const Tensor& b);

/// For loss = sum(run(inputs) * cotangent): the largest difference between backward()'s gradients and central differences, relative to
/// the larger of 1 and the gradient. NaN if either is.
double gradient_error(const OpCase& c);

/// The gradients of sum(run(inputs) * cotangent), one for each f64 input: zeros where the op does not depend on it.
Tensors gradients(const OpCase& c, const Tensors& inputs, const Tensor& cotangent);

// The rows of each family, one line a family; op_case.cpp puts them together in the same way.
std::vector<OpCase> attention_cases();
std::vector<OpCase> conv_cases();
std::vector<OpCase> index_cases();
std::vector<OpCase> join_cases();
std::vector<OpCase> loss_cases();
std::vector<OpCase> compare_cases();
std::vector<OpCase> matmul_cases();
std::vector<OpCase> norm_cases();
std::vector<OpCase> pointwise_cases();
std::vector<OpCase> pool_cases();
std::vector<OpCase> reduce_cases();
std::vector<OpCase> softmax_cases();
std::vector<OpCase> view_cases();

std::vector<OpCase> all_cases();

}  // namespace lora::test
