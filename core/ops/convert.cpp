#include "core/ops/convert.hpp"

#include "core/autograd.hpp"
#include "core/base/device_backend.hpp"
#include "core/ops/kernel_call.hpp"

namespace lora {

namespace {

Tensor copy_as(const Tensor& x, DType dtype) {
  Tensor y = empty(x.shape(), dtype, x.device());
  detail::kernels_of(x).copy(detail::context_of(x), x.view(), y.mutable_view());
  return y;
}

/// x itself if its elements are adjacent in memory, in whatever order of axes, else a copy in the order that is nearest to its own.
Tensor dense(const Tensor& x) {
  if (same_layout(x.shape(), x.strides(), dense_strides(x.shape(), x.strides()))) {
    return x;
  }
  Tensor y = empty_like(x);
  detail::kernels_of(x).copy(detail::context_of(x), x.view(), y.mutable_view());
  return y;
}

Tensor moved(const Tensor& x, const Device& device) {
  const Tensor from = dense(x.detach());
  Tensor y(Storage::allocate(from.nbytes(), device), from.dtype(), from.shape(), dense_strides(from.shape(), from.strides()));
  if (x.device() == kCpu) {
    cuda_backend().upload(y.mutable_view().data, from.view().data, from.nbytes());
  } else {
    cuda_backend().download(y.mutable_view().data, from.view().data, from.nbytes());
  }
  return y;
}

}  // namespace

Tensor to(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) {
    return x;
  }
  if (!is_floating(dtype)) {
    return copy_as(x, dtype);  // steps, not slopes: no part in gradients
  }
  return record("to", {x}, copy_as(x, dtype), [from = x.dtype()](const Node&, const Tensor& gy) -> Grads { return {to(gy, from)}; });
}

Tensor to(const Tensor& x, const Device& device) {
  if (x.device() == device) {
    return x;
  }
  return record("to", {x}, moved(x, device), [from = x.device()](const Node&, const Tensor& gy) -> Grads { return {to(gy, from)}; });
}

Tensor channels_last(const Tensor& x) {
  if (same_layout(x.shape(), x.strides(), channels_last_strides(x.shape()))) {
    return x;
  }
  Tensor y = empty_channels_last(x.shape(), x.dtype(), x.device());
  detail::kernels_of(x).copy(detail::context_of(x), x.view(), y.mutable_view());
  return record("channels_last", {x}, y, [](const Node&, const Tensor& gy) -> Grads { return {gy}; });
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : clone(x); }

Tensor clone(const Tensor& x) {
  return record("clone", {x}, copy_as(x, x.dtype()), [](const Node&, const Tensor& gy) -> Grads { return {gy}; });
}

}  // namespace lora
