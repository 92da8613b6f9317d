#pragma once
// Sizes of a tensor's axes, and the arithmetic on them.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>
#include <string_view>

#include "core/base/error.hpp"

namespace lora {

using Index = std::int64_t;

inline constexpr int kMaxDims = 8;

/// Up to eight integers, one an axis: sizes or strides (in elements). A value; never allocates.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Index> dims) : Shape(std::span<const Index>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const Index> dims);

  int ndim() const { return ndim_; }
  bool empty() const { return ndim_ == 0; }
  /// Axis `i` in 0..ndim-1, unchecked.
  Index operator[](int i) const { return dims_[static_cast<std::size_t>(i)]; }
  Index& operator[](int i) { return dims_[static_cast<std::size_t>(i)]; }
  Index back() const { return (*this)[ndim_ - 1]; }
  /// Product of all axes; 1 for a scalar.
  Index numel() const;
  void push_back(Index dim);

  const Index* begin() const { return dims_.data(); }
  const Index* end() const { return dims_.data() + ndim_; }
  Index* begin() { return dims_.data(); }
  Index* end() { return dims_.data() + ndim_; }

  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<Index, kMaxDims> dims_{};
  int ndim_ = 0;
};

/// Prints `[2,3]`.
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// Row-major strides in elements: the last axis has stride 1.
Shape contiguous_strides(const Shape& shape);

/// Strides without gaps for `shape` whose axes lie in memory in the order that `strides` has; row-major where that is not decided, as
/// after expand().
Shape dense_strides(const Shape& shape, const Shape& strides);

/// Strides of [N, C, ..] with C innermost in memory, as images are kept: axes in the order N, .., C.
Shape channels_last_strides(const Shape& shape);

/// True if both strides reach every element of `shape` at the same place; axes of size 1 do not count.
bool same_layout(const Shape& shape, const Shape& a, const Shape& b);

/// True if elements in row-major order of `shape` are adjacent in memory; axes of size 1 do not count.
bool is_contiguous(const Shape& shape, const Shape& strides);

/// NumPy's rule: axes are aligned at the right, and equal or 1.
/// @throws Error naming `where` if the shapes do not fit
Shape broadcast_shapes(std::string_view where, const Shape& a, const Shape& b);

/// Maps an axis counted from the end (-1 is the last) to 0..ndim-1.
/// @throws Error naming `where` if it is outside -ndim..ndim-1
int normalize_dim(std::string_view where, Index dim, int ndim);

/// Checks sizes for tensor creation: none negative, the product fits in 63 bits.
void check_sizes(std::string_view where, const Shape& shape);

}  // namespace lora
