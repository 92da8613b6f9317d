#pragma once
// What kernels see of a tensor: an address, a type, sizes and strides. Nothing is owned.

#include "core/base/dtype.hpp"
#include "core/base/shape.hpp"

namespace lora {

/// A strided array to write to. `data` points at element [0,..,0]; strides count elements and may be 0 (broadcast) only for reads.
struct View {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  Shape strides;

  template <class T>
  T* ptr() const {
    return static_cast<T*>(data);
  }
  Index numel() const { return shape.numel(); }
  bool contiguous() const { return is_contiguous(shape, strides); }
};

/// A strided array to read from.
struct ConstView {
  const void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  Shape strides;

  ConstView() = default;
  ConstView(const void* data_, DType dtype_, const Shape& shape_, const Shape& strides_)
      : data(data_), dtype(dtype_), shape(shape_), strides(strides_) {}
  ConstView(const View& v) : data(v.data), dtype(v.dtype), shape(v.shape), strides(v.strides) {}  // every View can be read

  template <class T>
  const T* ptr() const {
    return static_cast<const T*>(data);
  }
  Index numel() const { return shape.numel(); }
  bool contiguous() const { return is_contiguous(shape, strides); }
};

}  // namespace lora
