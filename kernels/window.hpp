#pragma once
// How the windows of convolution and pooling slide over images.

#include "core/base/shape.hpp"

namespace lora::kernels {

/// One axis of an image: window i, of `out`, covers the inputs i * stride - padding + t * dilation for t < kernel. Those outside of
/// 0..in-1 are padding.
struct WindowAxis {
  Index in, out, kernel, stride, padding, dilation;
};

/// x [batch, in_channels, h.in, w.in] to y [batch, out_channels, h.out, w.out]. Both numbers of channels are multiples of `groups`, and
/// outputs of a group see inputs of that group only.
struct Conv2dShape {
  Index batch, in_channels, out_channels, groups;
  WindowAxis h, w;
};

/// x [batch, channels, h.in, w.in] to y [batch, channels, h.out, w.out]. Where `adaptive`, window i is floor(i in / out) up to before
/// ceil((i + 1) in / out), `kernel` is the size of the largest, and the rest of the axis does not count.
struct Pool2dShape {
  Index batch, channels;
  WindowAxis h, w;
  bool adaptive;
};

}  // namespace lora::kernels
