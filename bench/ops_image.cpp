#include "bench/ops.hpp"
#include "bench/support.hpp"
#include "core/ops/conv.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/norm.hpp"
#include "core/ops/pool.hpp"
#include "core/ops/random.hpp"

namespace lora::bench {

namespace {

std::string text_of(const Shape& shape) {
  std::string text;
  for (const Index size : shape) {
    text += (text.empty() ? "" : "x") + std::to_string(size);
  }
  return text;
}

Tensor image(const Shape& shape) { return channels_last(randn(shape)); }

/// 3x3 with padding 1: forward, and forward with the gradients of image and weight.
void add_conv(const Shape& shape, Index out, Index stride) {
  const Conv2dOptions options{stride, 1};
  const std::string name = text_of(shape) + "->" + std::to_string(out) + (stride == 1 ? "" : "/s" + std::to_string(stride));
  const Tensor x = image(shape), weight = randn({out, shape[1], 3, 3});
  const Tensor gy = channels_last(randn(conv2d(x, weight, {}, options).shape()));
  const double flops = 2.0 * 9.0 * static_cast<double>(gy.numel() * shape[1]);
  add_case("conv2d/" + name, {flops}, [=] { (void)conv2d(x, weight, {}, options); });
  Tensor x1 = x.detach(), weight1 = weight.detach();
  x1.requires_grad_();
  weight1.requires_grad_();
  add_case("conv2d_train/" + name, {3 * flops}, [=]() mutable {
    conv2d(x1, weight1, {}, options).backward(gy);
    x1.set_grad({});
    weight1.set_grad({});
  });
}

}  // namespace

void add_image_ops() {
  add_conv({64, 64, 14, 14}, 128, 1);  // of VGG
  add_conv({64, 256, 7, 7}, 256, 1);
  add_conv({64, 16, 28, 28}, 16, 1);  // of ResNet-20
  add_conv({64, 16, 28, 28}, 32, 2);
  const Tensor x = image({64, 64, 28, 28});
  const auto bytes = static_cast<double>(x.nbytes());
  add_case("max_pool2d/64x64x28x28", {0, 1.25 * bytes}, [=] { (void)max_pool2d(x, 2); });
  add_case("avg_pool2d/64x64x28x28", {0, 1.25 * bytes}, [=] { (void)avg_pool2d(x, 2); });
  add_case("adaptive_avg_pool2d/64x64x28x28", {0, bytes}, [=] { (void)adaptive_avg_pool2d(x, 1); });
  add_case("batch_norm_training/64x64x28x28", {0, 3 * bytes}, [=] { (void)batch_norm_training(x); });
}

}  // namespace lora::bench
