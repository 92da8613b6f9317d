#include "core/ops/pool.hpp"

#include "core/autograd.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/window_axis.hpp"

namespace lora {

namespace {

void require_images(std::string_view op, const Tensor& x) {
  detail::require_float(op, x);
  require(x.ndim() == 4 && x.size(2) > 0 && x.size(3) > 0, op, "needs images [N, C, H, W] with pixels, got ", x);
}

kernels::Pool2dShape pool_shape(std::string_view op, const Tensor& x, const detail::Window2d& window) {
  require_images(op, x);
  detail::require_window(op, window);
  const auto fits = [](Index kernel, Index dilation, Index padding) { return 2 * padding <= dilation * (kernel - 1) + 1; };
  require(fits(window.kernel.h, window.dilation.h, window.padding.h) && fits(window.kernel.w, window.dilation.w, window.padding.w), op,
          "the padding ", window.padding, " is more than half of the kernel ", window.kernel, " with dilation ", window.dilation);
  const kernels::Pool2dShape shape{x.size(0), x.size(1), detail::height_axis(x, window), detail::width_axis(x, window), false};
  require(shape.h.out > 0 && shape.w.out > 0, op, "the kernel ", window.kernel, " with dilation ", window.dilation,
          " is larger than the padded image: x ", x, ", padding ", window.padding);
  return shape;
}

kernels::WindowAxis adaptive_axis(Index in, Index out) {
  const Index kernel = in % out == 0 ? in / out : in / out + 2;  // at most, where windows begin between pixels
  return {in, out, kernel, 1, 0, 1};
}

kernels::Pool2dShape adaptive_shape(std::string_view op, const Tensor& x, Size2d output) {
  require_images(op, x);
  constexpr Index kMost = Index{1} << 31;
  require(std::min(output.h, output.w) >= 1 && std::max(output.h, output.w) <= kMost, op, "the result's size must be 1 to 2^31, got ",
          output);
  return {x.size(0), x.size(1), adaptive_axis(x.size(2), output.h), adaptive_axis(x.size(3), output.w), true};
}

Tensor result_of(const kernels::Pool2dShape& shape, DType dtype, const Device& device) {
  return empty_channels_last({shape.batch, shape.channels, shape.h.out, shape.w.out}, dtype, device);
}

Tensor gradient_of(const kernels::Pool2dShape& shape, const Tensor& gy) {
  return empty_channels_last({shape.batch, shape.channels, shape.h.in, shape.w.in}, gy.dtype(), gy.device());
}

Tensor pool_max(std::string_view op, const Tensor& x, const kernels::Pool2dShape& shape) {
  Tensor y = result_of(shape, x.dtype(), x.device());
  Tensor places;
  View view;
  const bool recorded = grad_enabled() && x.requires_grad();
  if (recorded) {
    const bool small = shape.h.kernel <= 256 && shape.w.kernel <= 256 && shape.h.kernel * shape.w.kernel <= 256;
    places = result_of(shape, small ? DType::u8 : DType::i32, x.device());
    view = places.mutable_view();
  }
  detail::kernels_of(x).max_pool2d(detail::context_of(x), shape, channels_last(x.detach()).view(), recorded ? &view : nullptr,
                                   y.mutable_view());
  return record(op, {x}, y, [op, shape, places = Saved(places, recorded)](const Node&, const Tensor& gy) -> Grads {
    Tensor gx = gradient_of(shape, gy);
    detail::kernels_of(gy).max_pool2d_grad(detail::context_of(gy), shape, places.get(op).view(), channels_last(gy).view(),
                                           gx.mutable_view());
    return {gx};
  });
}

Tensor pool_avg(std::string_view op, const Tensor& x, const kernels::Pool2dShape& shape, bool count_padding) {
  Tensor y = result_of(shape, x.dtype(), x.device());
  detail::kernels_of(x).avg_pool2d(detail::context_of(x), shape, count_padding, channels_last(x.detach()).view(), y.mutable_view());
  return record(op, {x}, y, [shape, count_padding](const Node&, const Tensor& gy) -> Grads {
    Tensor gx = gradient_of(shape, gy);
    detail::kernels_of(gy).avg_pool2d_grad(detail::context_of(gy), shape, count_padding, channels_last(gy).view(), gx.mutable_view());
    return {gx};
  });
}

}  // namespace

Tensor max_pool2d(const Tensor& x, Size2d kernel, std::optional<Size2d> stride, Size2d padding, Size2d dilation) {
  return pool_max("max_pool2d", x, pool_shape("max_pool2d", x, {kernel, stride.value_or(kernel), padding, dilation}));
}

Tensor avg_pool2d(const Tensor& x, Size2d kernel, std::optional<Size2d> stride, Size2d padding, bool count_include_pad) {
  const kernels::Pool2dShape shape = pool_shape("avg_pool2d", x, {kernel, stride.value_or(kernel), padding, 1});
  return pool_avg("avg_pool2d", x, shape, count_include_pad);
}

Tensor adaptive_avg_pool2d(const Tensor& x, Size2d output) {
  return pool_avg("adaptive_avg_pool2d", x, adaptive_shape("adaptive_avg_pool2d", x, output), false);
}

Tensor adaptive_max_pool2d(const Tensor& x, Size2d output) {
  return pool_max("adaptive_max_pool2d", x, adaptive_shape("adaptive_max_pool2d", x, output));
}

}  // namespace lora
