// Plain loops in the place of cuDNN.
#include "kernels/cuda/cudnn.hpp"

#include <vector>

#include "core/base/half.hpp"
#include "kernels/emulator/stream.hpp"

namespace lora::kernels::cuda {

namespace {

struct Convolution {
  Conv2dShape shape;
  float scale, keep;
};

/// Calls f(x, weight, y), places of elements, for every product of a convolution.
template <class F>
void for_products(const Conv2dShape& s, const F& f) {
  const Index channels = s.in_channels / s.groups, outputs = s.out_channels / s.groups;
  for (Index position = 0; position < s.batch * s.h.out * s.w.out; ++position) {
    const Index j = position % s.w.out, i = position / s.w.out % s.h.out, n = position / s.w.out / s.h.out;
    for (Index tap = 0; tap < s.h.kernel * s.w.kernel; ++tap) {
      const Index row = i * s.h.stride - s.h.padding + tap / s.w.kernel * s.h.dilation;
      const Index column = j * s.w.stride - s.w.padding + tap % s.w.kernel * s.w.dilation;
      if (row < 0 || row >= s.h.in || column < 0 || column >= s.w.in) {
        continue;
      }
      const Index pixel = ((n * s.h.in + row) * s.w.in + column) * s.in_channels;
      for (Index o = 0; o < s.out_channels; ++o) {
        const Index weight = (o * s.h.kernel * s.w.kernel + tap) * channels;
        for (Index c = 0; c < channels; ++c) {
          f(pixel + o / outputs * channels + c, weight + c, position * s.out_channels + o);
        }
      }
    }
  }
}

Index elements(const Conv2dShape& s, ConvPass pass) {
  switch (pass) {
    case ConvPass::forward: return s.batch * s.out_channels * s.h.out * s.w.out;
    case ConvPass::grad_input: return s.batch * s.in_channels * s.h.in * s.w.in;
    case ConvPass::grad_weight: return s.out_channels * (s.in_channels / s.groups) * s.h.kernel * s.w.kernel;
  }
  return 0;
}

template <class T>
void run(ConvPass pass, const Convolution& conv, const T* first, const T* second, T* result) {
  std::vector<float> sums(static_cast<std::size_t>(elements(conv.shape, pass)));
  for_products(conv.shape, [&](Index x, Index weight, Index y) {
    const Index left = pass == ConvPass::grad_input ? weight : x, right = pass == ConvPass::forward ? weight : y;
    const Index to = pass == ConvPass::forward ? y : pass == ConvPass::grad_input ? x : weight;
    sums[static_cast<std::size_t>(to)] += static_cast<float>(first[left]) * static_cast<float>(second[right]);
  });
  for (std::size_t i = 0; i < sums.size(); ++i) {
    result[i] = static_cast<T>(conv.scale * sums[i] + (conv.keep == 0 ? 0.0f : conv.keep * static_cast<float>(result[i])));
  }
}

}  // namespace

bool run_cudnn(const Context& context, ConvPass pass, const DenseConv& conv, const void* first, const void* second, void* result) {
  const Convolution held{conv.shape, static_cast<float>(conv.scale), static_cast<float>(conv.keep)};
  const auto work = [=, dtype = conv.dtype] {
    if (dtype == DType::bf16) {
      run(pass, held, static_cast<const bf16*>(first), static_cast<const bf16*>(second), static_cast<bf16*>(result));
    } else {
      run(pass, held, static_cast<const float*>(first), static_cast<const float*>(second), static_cast<float*>(result));
    }
  };
  if (context.stream == nullptr) {
    work();
  } else {
    static_cast<simt::Stream*>(context.stream)->submit(work);
  }
  return true;
}

}  // namespace lora::kernels::cuda
