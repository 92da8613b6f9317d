// Rows of max_pool2d and avg_pool2d. A thread makes one result, or one element of a gradient from all windows that it is in.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "kernels/cuda/convert.hpp"
#include "kernels/cuda/launch.hpp"
#include "kernels/cuda/types.hpp"

namespace lora::kernels::cuda {
namespace {

/// Element t of a window is input start + t * step; those from `first` to before `end` are in the image.
struct Window {
  Index start, step, first, end;

  __device__ Index count() const { return end - first; }
  __device__ Index input(Index t) const { return start + t * step; }
};

__device__ Window window_of(const WindowAxis& a, bool adaptive, Index i) {
  if (adaptive) {
    const Index start = i * a.in / a.out;
    return {start, 1, 0, ((i + 1) * a.in - 1) / a.out + 1 - start};
  }
  const Index start = i * a.stride - a.padding, room = a.in - 1 - start;
  const Index first = start < 0 ? std::min(a.kernel, (-start - 1) / a.dilation + 1) : 0;
  return {start, a.dilation, first, room < 0 ? first : std::max(first, std::min(a.kernel, room / a.dilation + 1))};
}

/// Which element of the window input `at` is, or -1.
__device__ Index element_at(const Window& w, Index at) {
  const Index distance = at - w.start, t = distance / w.step;
  return distance % w.step == 0 && t >= w.first && t < w.end ? t : -1;
}

/// Windows begin..end-1 that may have some input.
struct Windows {
  Index begin, end;
};

__device__ Windows windows_with(const WindowAxis& a, bool adaptive, Index at) {
  if (adaptive) {
    return {at * a.out / a.in, ((at + 1) * a.out - 1) / a.in + 1};
  }
  const Index place = at + a.padding, before = place - a.dilation * (a.kernel - 1);
  return {before > 0 ? (before - 1) / a.stride + 1 : 0, std::min(a.out, place / a.stride + 1)};
}

/// Channel c of pixel (i, j) of image n: channels are the innermost in memory, then j.
struct Pixel {
  Index n, i, j, c;
};

__device__ Pixel pixel_at(Index number, const Pool2dShape& s, Index height, Index width) {
  const Index pixel = number / s.channels, row = pixel / width;
  return {row / height, row % height, pixel % width, number % s.channels};
}

/// visit(number in x, element of the window) for the inputs of a window, row by row.
template <class F>
__device__ void for_inputs(const Pool2dShape& s, const Pixel& p, const Window& h, const Window& w, const F& visit) {
  for (Index a = h.first; a < h.end; ++a) {
    const Index row = (p.n * s.h.in + h.input(a)) * s.w.in;
    for (Index b = w.first; b < w.end; ++b) {
      visit((row + w.input(b)) * s.channels + p.c, a * s.w.kernel + b);
    }
  }
}

/// visit(number in y, element of the window, inputs of the window) for the windows that an input is in, row by row.
template <class F>
__device__ void for_windows(const Pool2dShape& s, const Pixel& p, const F& visit) {
  const Windows rows = windows_with(s.h, s.adaptive, p.i), columns = windows_with(s.w, s.adaptive, p.j);
  for (Index i = rows.begin; i < rows.end; ++i) {
    const Window h = window_of(s.h, s.adaptive, i);
    const Index a = element_at(h, p.i);
    for (Index j = columns.begin; a >= 0 && j < columns.end; ++j) {
      const Window w = window_of(s.w, s.adaptive, j);
      const Index b = element_at(w, p.j);
      if (b >= 0) {
        visit(((p.n * s.h.out + i) * s.w.out + j) * s.channels + p.c, a * s.w.kernel + b, h.count() * w.count());
      }
    }
  }
}

/// Numbers of elements, u8 or i32; or none, if null.
template <class V>
struct Numbers {
  V* data = nullptr;
  bool narrow = true;

  __device__ Index get(Index i) const {
    return narrow ? static_cast<const std::uint8_t*>(data)[i] : static_cast<const std::int32_t*>(data)[i];
  }
  __device__ void set(Index i, Index number) const {
    if (data != nullptr && narrow) {
      static_cast<std::uint8_t*>(data)[i] = static_cast<std::uint8_t>(number);
    } else if (data != nullptr) {
      static_cast<std::int32_t*>(data)[i] = static_cast<std::int32_t>(number);
    }
  }
};

template <class T>
__global__ void max_pool_kernel(Pool2dShape s, Index numel, const T* x, Numbers<void> argmax, T* y) {
  using C = Compute<T>;
  const Index at = thread_index();
  if (at < numel) {
    const Pixel p = pixel_at(at, s, s.h.out, s.w.out);
    const Window h = window_of(s.h, s.adaptive, p.i), w = window_of(s.w, s.adaptive, p.j);
    C best = -std::numeric_limits<C>::infinity();
    Index number = h.first * s.w.kernel + w.first;
    for_inputs(s, p, h, w, [&](Index from, Index element) {
      const C value = widened(x[from]);
      if (value > best || value != value) {
        best = value;
        number = element;
      }
    });
    y[at] = static_cast<T>(best);
    argmax.set(at, number);
  }
}

template <class T>
__global__ void max_pool_grad_kernel(Pool2dShape s, Index numel, Numbers<const void> argmax, const T* gy, T* gx) {
  using C = Compute<T>;
  const Index at = thread_index();
  if (at < numel) {
    C sum(0);
    for_windows(s, pixel_at(at, s, s.h.in, s.w.in), [&](Index window, Index element, Index) {
      if (argmax.get(window) == element) {
        sum += widened(gy[window]);
      }
    });
    gx[at] = static_cast<T>(sum);
  }
}

/// `elements`: what to divide by, or 0 for the number of those in the image.
template <class T>
__global__ void avg_pool_kernel(Pool2dShape s, Index numel, Index elements, const T* x, T* y) {
  using C = Compute<T>;
  const Index at = thread_index();
  if (at < numel) {
    const Pixel p = pixel_at(at, s, s.h.out, s.w.out);
    const Window h = window_of(s.h, s.adaptive, p.i), w = window_of(s.w, s.adaptive, p.j);
    C sum(0);
    for_inputs(s, p, h, w, [&](Index from, Index) { sum += widened(x[from]); });
    y[at] = static_cast<T>(sum / static_cast<C>(elements > 0 ? elements : h.count() * w.count()));
  }
}

template <class T>
__global__ void avg_pool_grad_kernel(Pool2dShape s, Index numel, Index elements, const T* gy, T* gx) {
  using C = Compute<T>;
  const Index at = thread_index();
  if (at < numel) {
    C sum(0);
    for_windows(s, pixel_at(at, s, s.h.in, s.w.in),
                [&](Index window, Index, Index inside) { sum += widened(gy[window]) / static_cast<C>(elements > 0 ? elements : inside); });
    gx[at] = static_cast<T>(sum);
  }
}

Index divisor(const Pool2dShape& s, bool count_padding) { return count_padding ? s.h.kernel * s.w.kernel : 0; }

}  // namespace

void max_pool2d(const Context& context, const Pool2dShape& shape, const ConstView& x, const View* argmax, const View& y) {
  Numbers<void> numbers;
  if (argmax != nullptr) {
    numbers = {argmax->data, argmax->dtype == DType::u8};
  }
  visit_stored(y.dtype, [&]<class T>(Tag<T>) {
    launch_each(context, Row::max_pool2d, y.numel(), max_pool_kernel<T>, shape, y.numel(), x.ptr<T>(), numbers, y.ptr<T>());
  });
}

void max_pool2d_grad(const Context& context, const Pool2dShape& shape, const ConstView& argmax, const ConstView& gy, const View& gx) {
  const Numbers<const void> numbers{argmax.data, argmax.dtype == DType::u8};
  visit_stored(gx.dtype, [&]<class T>(Tag<T>) {
    launch_each(context, Row::max_pool2d_grad, gx.numel(), max_pool_grad_kernel<T>, shape, gx.numel(), numbers, gy.ptr<T>(), gx.ptr<T>());
  });
}

void avg_pool2d(const Context& context, const Pool2dShape& shape, bool count_padding, const ConstView& x, const View& y) {
  const Index elements = divisor(shape, count_padding);
  visit_stored(y.dtype, [&]<class T>(Tag<T>) {
    launch_each(context, Row::avg_pool2d, y.numel(), avg_pool_kernel<T>, shape, y.numel(), elements, x.ptr<T>(), y.ptr<T>());
  });
}

void avg_pool2d_grad(const Context& context, const Pool2dShape& shape, bool count_padding, const ConstView& gy, const View& gx) {
  const Index elements = divisor(shape, count_padding);
  visit_stored(gx.dtype, [&]<class T>(Tag<T>) {
    launch_each(context, Row::avg_pool2d_grad, gx.numel(), avg_pool_grad_kernel<T>, shape, gx.numel(), elements, gy.ptr<T>(), gx.ptr<T>());
  });
}

}  // namespace lora::kernels::cuda
