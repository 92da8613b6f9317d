#pragma once
// Layers that pool images.

#include <optional>

#include "core/ops/window.hpp"
#include "nn/module.hpp"

namespace lora::nn {

/// max_pool2d(x, kernel, stride, padding, dilation).
class MaxPool2d final : public Module {
 public:
  explicit MaxPool2d(Size2d kernel_size, std::optional<Size2d> stride = {}, Size2d padding = 0, Size2d dilation = 1);
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  Size2d kernel_, stride_, padding_, dilation_;
};

/// avg_pool2d(x, kernel, stride, padding, count_include_pad).
class AvgPool2d final : public Module {
 public:
  explicit AvgPool2d(Size2d kernel_size, std::optional<Size2d> stride = {}, Size2d padding = 0, bool count_include_pad = true);
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  Size2d kernel_, stride_, padding_;
  bool count_include_pad_;
};

/// adaptive_avg_pool2d(x, output).
class AdaptiveAvgPool2d final : public Module {
 public:
  explicit AdaptiveAvgPool2d(Size2d output_size) : output_(output_size) {}
  Tensor forward(const Tensor& x) const override;
  std::string describe() const override;

 private:
  Size2d output_;
};

}  // namespace lora::nn
