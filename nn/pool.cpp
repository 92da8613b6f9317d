#include "nn/pool.hpp"

#include <sstream>

#include "core/ops/pool.hpp"

namespace lora::nn {

MaxPool2d::MaxPool2d(Size2d kernel_size, std::optional<Size2d> stride, Size2d padding, Size2d dilation)
    : kernel_(kernel_size), stride_(stride.value_or(kernel_size)), padding_(padding), dilation_(dilation) {}

Tensor MaxPool2d::forward(const Tensor& x) const { return max_pool2d(x, kernel_, stride_, padding_, dilation_); }

std::string MaxPool2d::describe() const {
  std::ostringstream text;
  text << "MaxPool2d(kernel_size=" << kernel_ << ", stride=" << stride_ << ", padding=" << padding_ << ", dilation=" << dilation_ << ')';
  return std::move(text).str();
}

AvgPool2d::AvgPool2d(Size2d kernel_size, std::optional<Size2d> stride, Size2d padding, bool count_include_pad)
    : kernel_(kernel_size), stride_(stride.value_or(kernel_size)), padding_(padding), count_include_pad_(count_include_pad) {}

Tensor AvgPool2d::forward(const Tensor& x) const { return avg_pool2d(x, kernel_, stride_, padding_, count_include_pad_); }

std::string AvgPool2d::describe() const {
  std::ostringstream text;
  text << "AvgPool2d(kernel_size=" << kernel_ << ", stride=" << stride_ << ", padding=" << padding_
       << (count_include_pad_ ? ")" : ", count_include_pad=False)");
  return std::move(text).str();
}

Tensor AdaptiveAvgPool2d::forward(const Tensor& x) const { return adaptive_avg_pool2d(x, output_); }

std::string AdaptiveAvgPool2d::describe() const {
  std::ostringstream text;
  text << "AdaptiveAvgPool2d(output_size=" << output_ << ')';
  return std::move(text).str();
}

}  // namespace lora::nn
