#pragma once
// Products as sums of terms, and what they are in bf16, by plain loops in double.

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/op_case.hpp"

namespace lora::test {

/// y = scale * sum over terms of x * w + addend.
struct ProductCase {
  /// Places of the factors and of the sum, in row-major order.
  struct Term {
    std::size_t y, x, w;
  };

  std::string name;
  Shape x, w, addend, y;  // addend: of no axis for none
  double scale = 1.0;
  std::function<Tensor(const Tensor& x, const Tensor& w, const Tensor& addend)> run = {};
  std::vector<Term> terms = {};

  bool adds() const { return addend.ndim() > 0; }
};

/// matmul, linear and convolution with and without groups, strides, dilation, bias, addend and scale.
std::vector<ProductCase> product_cases();

/// A sum before it is rounded, and the sum of its terms' sizes.
struct Sum {
  double value = 0, size = 0;
};

/// Of one product: result, and gradients of sum(y * gy) by x and w.
struct ProductSums {
  std::vector<Sum> y, gx, gw;
};

/// What operands rounded to bf16 give. @param addend  of y's shape, or undefined
ProductSums bf16_sums(const ProductCase& c, const Tensor& x, const Tensor& w, const Tensor& addend, const Tensor& gy);

/// The nearest number of 8 significant bits, ties to even; of normal numbers.
double nearest_bf16(double value);

/// From a number of this size to the next one of bf16.
double bf16_ulp(double value);

/// The largest error of f32 in adding the terms of a sum of product_cases() in any order.
double f32_error(const Sum& sum);

}  // namespace lora::test
