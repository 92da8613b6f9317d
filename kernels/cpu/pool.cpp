// Rows of max_pool2d and avg_pool2d, vectorised over channels. Every result and every row of a gradient is made by one thread.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "core/base/threads.hpp"
#include "kernels/cpu/dispatch.hpp"
#include "kernels/cpu/kernels.hpp"
#include "kernels/cpu/walk.hpp"

namespace lora::kernels::LORA_CPU_ISA {
namespace {

constexpr Index kBlock = 64;  // channels at a time: their state lies on the stack

/// Inputs begin, begin + step, .., `count` of them, that a window has inside of the image; the first is the window's element `first`.
struct Span {
  Index begin, step, count, first;
};

Span window_of(const WindowAxis& a, bool adaptive, Index i) {
  if (adaptive) {
    const Index begin = i * a.in / a.out;
    return {begin, 1, ((i + 1) * a.in - 1) / a.out + 1 - begin, 0};
  }
  const Index start = i * a.stride - a.padding;
  const Index first = start >= 0 ? 0 : std::min(a.kernel, (-start - 1) / a.dilation + 1);
  const Index after = start >= a.in ? 0 : (a.in - 1 - start) / a.dilation + 1;
  return {start + first * a.dilation, a.dilation, std::clamp(after, first, a.kernel) - first, first};
}

/// Windows begin..end-1 that may have input `at`.
struct Range {
  Index begin, end;
};

Range windows_with(const WindowAxis& a, bool adaptive, Index at) {
  if (adaptive) {
    return {at * a.out / a.in, ((at + 1) * a.out - 1) / a.in + 1};
  }
  const Index place = at + a.padding, reach = place - a.dilation * (a.kernel - 1);
  return {reach <= 0 ? 0 : (reach - 1) / a.stride + 1, std::min(a.out, place / a.stride + 1)};
}

/// Which element of window i input `at` is, or -1.
Index element_at(const WindowAxis& a, bool adaptive, Index i, Index at) {
  const Span span = window_of(a, adaptive, i);
  const Index distance = at - span.begin;
  const bool inside = distance >= 0 && distance % span.step == 0 && distance / span.step < span.count;
  return inside ? span.first + distance / span.step : -1;
}

/// body(n, i, j) for every pixel of a batch of height x width images, `work` values each.
template <class Body>
void for_pixels(Index batch, Index height, Index width, Index work, const Body& body) {
  parallel_for(batch * height * width, std::max<Index>(1, kGrain / std::max<Index>(1, work)), [&](Index begin, Index end) {
    for (Index p = begin; p < end; ++p) {
      body(p / width / height, p / width % height, p % width);
    }
  });
}

Index kernel_size(const Pool2dShape& s) { return s.h.kernel * s.w.kernel; }

/// A window that an input is in: its number among all, which element of it the input is, and how many elements are in the image.
struct Hit {
  Index window, element, count;
};

/// Makes gx row by row, each by one thread: from 0, add(hit, to) for the channels at `to` of an input and every window that it is in.
template <class T, class Add>
void gather_gradient(const Pool2dShape& s, T* gx, const Add& add) {
  const Index row = s.w.in * s.channels, work = row + s.h.kernel * s.w.kernel * s.w.out * s.channels / s.h.stride;
  parallel_for(s.batch * s.h.in, std::max<Index>(1, kGrain / std::max<Index>(1, work)), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      T* to = gx + r * row;
      each(row, [=](Index k) { to[k] = T(0); });
      const Index n = r / s.h.in, at = r % s.h.in;
      const Range windows = windows_with(s.h, s.adaptive, at);
      for (Index i = windows.begin; i < windows.end; ++i) {
        const Index element = element_at(s.h, s.adaptive, i, at), rows = window_of(s.h, s.adaptive, i).count;
        for (Index j = 0; element >= 0 && j < s.w.out; ++j) {
          const Span span = window_of(s.w, s.adaptive, j);
          for (Index t = 0; t < span.count; ++t) {
            const Hit hit{(n * s.h.out + i) * s.w.out + j, element * s.w.kernel + span.first + t, rows * span.count};
            add(hit, to + (span.begin + t * span.step) * s.channels);
          }
        }
      }
    }
  });
}

/// An integer as wide as T: numbers of elements and values then fill vectors alike.
template <class T>
using Number = std::conditional_t<sizeof(T) == 8, std::int64_t, std::int32_t>;

/// One window of a max pool, for `count` <= kBlock channels from `from` (the image's first pixel) on.
template <bool kNumbers, class T>
void max_of_window(const Pool2dShape& s, const Span& h, const Span& w, const T* from, Index count, T* best, Number<T>* number) {
  std::fill_n(best, count, -std::numeric_limits<T>::infinity());
  if constexpr (kNumbers) {
    std::fill_n(number, count, static_cast<Number<T>>(h.first * s.w.kernel + w.first));
  }
  for (Index i = 0; i < h.count; ++i) {
    for (Index j = 0; j < w.count; ++j) {
      const T* x = from + ((h.begin + i * h.step) * s.w.in + w.begin + j * w.step) * s.channels;
      const auto element = static_cast<Number<T>>((h.first + i) * s.w.kernel + w.first + j);
      each(count, [=](Index c) {
        const bool larger = x[c] > best[c] || x[c] != x[c];
        best[c] = larger ? x[c] : best[c];
        if constexpr (kNumbers) {
          number[c] = larger ? element : number[c];
        }
      });
    }
  }
}

/// `argmax` is null, or std::uint8_t or std::int32_t.
template <class T, class A>
void max_pool(const Pool2dShape& s, const T* x, A* argmax, T* y) {
  for_pixels(s.batch, s.h.out, s.w.out, s.channels * kernel_size(s), [&](Index n, Index i, Index j) {
    const Span h = window_of(s.h, s.adaptive, i), w = window_of(s.w, s.adaptive, j);
    const T* image = x + n * s.h.in * s.w.in * s.channels;
    const Index at = ((n * s.h.out + i) * s.w.out + j) * s.channels;
    for (Index c = 0; c < s.channels; c += kBlock) {
      const Index count = std::min(kBlock, s.channels - c);
      T best[kBlock];
      Number<T> number[kBlock];
      if (argmax == nullptr) {
        max_of_window<false>(s, h, w, image + c, count, best, number);
      } else {
        max_of_window<true>(s, h, w, image + c, count, best, number);
        for (Index k = 0; k < count; ++k) {
          argmax[at + c + k] = static_cast<A>(number[k]);
        }
      }
      std::copy_n(best, count, y + at + c);
    }
  });
}

template <class T, class A>
void max_pool_grad(const Pool2dShape& s, const A* argmax, const T* gy, T* gx) {
  gather_gradient(s, gx, [&](const Hit& hit, T* to) {
    const auto element = static_cast<Number<T>>(hit.element);
    const A* chosen = argmax + hit.window * s.channels;
    const T* slope = gy + hit.window * s.channels;
    each(s.channels, [=](Index c) { to[c] += static_cast<Number<T>>(chosen[c]) == element ? slope[c] : T(0); });
  });
}

template <class T>
void avg_pool(const Pool2dShape& s, bool count_padding, const T* x, T* y) {
  for_pixels(s.batch, s.h.out, s.w.out, s.channels * kernel_size(s), [&](Index n, Index i, Index j) {
    const Span h = window_of(s.h, s.adaptive, i), w = window_of(s.w, s.adaptive, j);
    const T* image = x + n * s.h.in * s.w.in * s.channels;
    T* to = y + ((n * s.h.out + i) * s.w.out + j) * s.channels;
    each(s.channels, [=](Index c) { to[c] = T(0); });
    for (Index a = 0; a < h.count; ++a) {
      for (Index b = 0; b < w.count; ++b) {
        const T* from = image + ((h.begin + a * h.step) * s.w.in + w.begin + b * w.step) * s.channels;
        each(s.channels, [=](Index c) { to[c] += from[c]; });
      }
    }
    const T count = static_cast<T>(count_padding ? kernel_size(s) : h.count * w.count);
    each(s.channels, [=](Index c) { to[c] /= count; });
  });
}

template <class T>
void avg_pool_grad(const Pool2dShape& s, bool count_padding, const T* gy, T* gx) {
  gather_gradient(s, gx, [&](const Hit& hit, T* to) {
    const T* slope = gy + hit.window * s.channels;
    const T count = static_cast<T>(count_padding ? kernel_size(s) : hit.count);
    each(s.channels, [=](Index c) { to[c] += slope[c] / count; });
  });
}

}  // namespace

void max_pool2d(const Context&, const Pool2dShape& shape, const ConstView& x, const View* argmax, const View& y) {
  visit_real(y.dtype, [&]<class T>(Tag<T>) {
    if (argmax != nullptr && argmax->dtype == DType::i32) {
      max_pool(shape, x.ptr<T>(), argmax->ptr<std::int32_t>(), y.ptr<T>());
    } else {
      max_pool(shape, x.ptr<T>(), argmax != nullptr ? argmax->ptr<std::uint8_t>() : nullptr, y.ptr<T>());
    }
  });
}

void max_pool2d_grad(const Context&, const Pool2dShape& shape, const ConstView& argmax, const ConstView& gy, const View& gx) {
  visit_real(gx.dtype, [&]<class T>(Tag<T>) {
    if (argmax.dtype == DType::i32) {
      max_pool_grad(shape, argmax.ptr<std::int32_t>(), gy.ptr<T>(), gx.ptr<T>());
    } else {
      max_pool_grad(shape, argmax.ptr<std::uint8_t>(), gy.ptr<T>(), gx.ptr<T>());
    }
  });
}

void avg_pool2d(const Context&, const Pool2dShape& shape, bool count_padding, const ConstView& x, const View& y) {
  visit_real(y.dtype, [&]<class T>(Tag<T>) { avg_pool(shape, count_padding, x.ptr<T>(), y.ptr<T>()); });
}

void avg_pool2d_grad(const Context&, const Pool2dShape& shape, bool count_padding, const ConstView& gy, const View& gx) {
  visit_real(gx.dtype, [&]<class T>(Tag<T>) { avg_pool_grad(shape, count_padding, gy.ptr<T>(), gx.ptr<T>()); });
}

}  // namespace lora::kernels::LORA_CPU_ISA
