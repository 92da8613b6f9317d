#pragma once
// The tensor: a handle on shared storage with shape, strides, type and place, and its part in the autograd graph.

#include <memory>
#include <ostream>
#include <span>
#include <type_traits>
#include <vector>

#include "core/base/device.hpp"
#include "core/base/dtype.hpp"
#include "core/base/memory.hpp"
#include "core/base/shape.hpp"
#include "core/base/view.hpp"

namespace lora {

class Node;
struct AutogradMeta;

/// A multi-dimensional array. Copies are handles on the same data; views share storage; a default-constructed one is undefined.
class Tensor {
 public:
  Tensor() = default;
  /// A view of `storage`; elements are counted from its start. Checks that the view lies inside.
  Tensor(std::shared_ptr<Storage> storage, DType dtype, const Shape& shape, const Shape& strides, Index offset = 0);

  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return impl().shape; }
  const Shape& strides() const { return impl().strides; }
  int ndim() const { return shape().ndim(); }
  /// Size of an axis; -1 is the last.
  Index size(Index dim) const { return shape()[normalize_dim("size", dim, ndim())]; }
  Index numel() const { return shape().numel(); }
  std::size_t nbytes() const { return static_cast<std::size_t>(numel()) * itemsize(dtype()); }
  DType dtype() const { return impl().dtype; }
  const Device& device() const { return impl().storage->device(); }
  Index offset() const { return impl().offset; }
  bool is_contiguous() const { return lora::is_contiguous(shape(), strides()); }
  const std::shared_ptr<Storage>& storage() const { return impl().storage; }

  /// Address of the first element on the CPU. @throws Error if T is not the dtype or the tensor is elsewhere
  template <class T>
  const T* data() const {
    check_access(dtype_of<T>());
    return static_cast<const T*>(raw_data());
  }
  /// The same to write to; counts as an in-place change.
  template <class T>
  T* mutable_data() {
    check_access(dtype_of<T>());
    storage()->bump_version();
    return static_cast<T*>(raw_data());
  }
  /// The value of a tensor with one element, converted to T.
  template <class T>
  T item() const {
    if constexpr (std::is_integral_v<T>) {
      return is_floating(dtype()) ? static_cast<T>(item_as<double>()) : static_cast<T>(item_as<std::int64_t>());
    } else {
      return static_cast<T>(item_as<double>());
    }
  }
  /// All elements in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector() const;

  /// What kernels read.
  ConstView view() const { return {raw_data(), dtype(), shape(), strides()}; }
  /// What kernels write; the caller counts the change where the storage is not new.
  View mutable_view() const { return {raw_data(), dtype(), shape(), strides()}; }

  // Autograd (core/autograd.hpp has the engine).
  bool requires_grad() const;
  /// Makes a leaf take part in backward() (or not). @throws Error on a result of an op, or if not f32 or f64
  Tensor& requires_grad_(bool on = true);
  bool is_leaf() const { return node() == nullptr; }
  /// The gradient that backward() left on this leaf; undefined before.
  Tensor grad() const;
  /// Replaces the gradient; an undefined tensor clears it. Shape, dtype and device must be those of this tensor.
  void set_grad(const Tensor& grad);
  /// d(this)/d(leaf) into every leaf's grad, added to what is there.
  /// @param gradient  d(loss)/d(this); may be left out if this has one element. @param retain_graph  allow another backward
  void backward(const Tensor& gradient = {}, bool retain_graph = false) const;
  /// The same data outside of the graph.
  Tensor detach() const;

  // In-place changes: counted, and refused where autograd would have to record them.
  Tensor& fill_(double value);
  Tensor& zero_() { return fill_(0.0); }
  /// Copies values (converted, broadcast) from `source`, which may be on another device.
  Tensor& copy_(const Tensor& source);
  /// Moves a leaf and its gradient to a device. All handles follow; views and what graphs have saved keep the former memory.
  Tensor& to_(const Device& device);

  // Used by the autograd engine and by ops.
  const std::shared_ptr<Node>& node() const;
  const std::shared_ptr<AutogradMeta>& meta() const { return impl().meta; }
  /// No other handle and no other view reaches this data.
  bool is_unshared() const { return impl_.use_count() == 1 && storage().use_count() == 1; }
  void set_node(std::shared_ptr<Node> node);
  /// Shares the place in the graph of another handle.
  void set_meta(std::shared_ptr<AutogradMeta> meta) { impl_->meta = std::move(meta); }

 private:
  struct Impl {
    std::shared_ptr<Storage> storage;
    Shape shape, strides;
    Index offset = 0;
    DType dtype = DType::f32;
    std::shared_ptr<AutogradMeta> meta;
  };
  const Impl& impl() const {
    require(impl_ != nullptr, "tensor", "used before it was given a value");
    return *impl_;
  }
  void* raw_data() const;
  void check_access(DType wanted) const;
  void check_in_place(const char* op) const;
  template <class T>
  T item_as() const;

  std::shared_ptr<Impl> impl_;
};

/// Prints `f32[2,3]@cpu`: what errors say of an operand.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

// Factories. All give tensors without gaps that need no gradient; contiguous ones where nothing else is said.

Tensor empty(const Shape& shape, DType dtype = DType::f32, const Device& device = kCpu);
Tensor zeros(const Shape& shape, DType dtype = DType::f32, const Device& device = kCpu);
Tensor ones(const Shape& shape, DType dtype = DType::f32, const Device& device = kCpu);
Tensor full(const Shape& shape, double value, DType dtype = DType::f32, const Device& device = kCpu);
/// 0, 1, .., n-1.
Tensor arange(Index n, DType dtype = DType::i64);
/// Shape, dtype and device of `like`, and its axes in the same order in memory (channels-last stays channels-last).
Tensor empty_like(const Tensor& like);
/// The same with another dtype.
Tensor empty_like(const Tensor& like, DType dtype);
/// Sizes `shape` on the axes of `like`. A row-major `like` gives a row-major tensor, whatever strides its axes of size 1 have.
Tensor empty_like(const Tensor& like, const Shape& shape);
Tensor zeros_like(const Tensor& like);
/// [N, C, ..] with C innermost in memory.
Tensor empty_channels_last(const Shape& shape, DType dtype = DType::f32, const Device& device = kCpu);

/// A copy of `values` in row-major order. @throws Error if their number is not the product of `shape`
template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape);
template <class T>
Tensor from_values(const std::vector<T>& values, const Shape& shape) {
  return from_values(std::span<const T>(values), shape);
}

}  // namespace lora
