#pragma once
// The values of a tensor as text for people. (operator<< prints what errors say of it: dtype, shape and device.)

#include <string>

#include "core/tensor.hpp"

namespace lora {

/// How values are printed; the defaults are PyTorch's.
struct PrintOptions {
  int precision = 4;       // digits after the point
  Index threshold = 1000;  // tensors of more elements are abbreviated ..
  Index edge_items = 3;    // .. to so many from both ends of each axis, with `...` between
  Index line_width = 80;   // in characters; long rows are broken
};

/// Nested rows, as in `tensor([[1.0000, 2.5000], [3.0000, 4.0000]], dtype=f64)` over several lines. Columns are aligned; the dtype is named
/// where it is not f32, i64 or bool, the device where it is not the CPU, the shape where there are no elements. Large and small numbers
/// together give scientific notation.
/// @throws Error if precision is outside 0..17, or edge_items or line_width is less than 1
std::string to_string(const Tensor& tensor, const PrintOptions& options = {});

}  // namespace lora
