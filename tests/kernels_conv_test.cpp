// Rows of convolution and pooling against plain loops in f64, for every instruction set that the machine has and for CUDA.

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/base/threads.hpp"
#include "tests/support/kernel_array.hpp"

using lora::DType;
using lora::Index;
using lora::Shape;
using lora::kernels::Context;
using lora::kernels::Conv2dShape;
using lora::kernels::Pool2dShape;
using lora::kernels::WindowAxis;
using lora::test::cpu_tables;
using lora::test::kernel_tables;
using lora::test::KernelArray;
using lora::test::Layout;
using lora::test::rounding;
using lora::test::strides_of;
using lora::test::worst;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

WindowAxis axis(Index in, Index kernel, Index stride, Index padding, Index dilation) {
  return {in, (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1, kernel, stride, padding, dilation};
}

/// An image that is channels-last and full of NaN, or of 99 where there is none.
KernelArray image(DType dtype, const Shape& shape) {
  KernelArray a(dtype, shape, lora::channels_last_strides(shape));
  return a.fill_by([&](Index) { return lora::is_floating(dtype) ? kNaN : 99; });
}

Index place(const Shape& s, Index n, Index c, Index i, Index j) { return ((n * s[1] + c) * s[2] + i) * s[3] + j; }

/// The input that element t of window i is, or -1.
Index input_of(const WindowAxis& a, Index i, Index t) {
  const Index at = i * a.stride - a.padding + t * a.dilation;
  return at >= 0 && at < a.in ? at : -1;
}

/// Calls f(place in x, place in weight, place in y) for every product of a convolution.
template <class F>
void for_products(const Conv2dShape& s, const F& f) {
  const Index channels = s.in_channels / s.groups, outputs = s.out_channels / s.groups;
  const Shape x{s.batch, s.in_channels, s.h.in, s.w.in}, w{s.out_channels, channels, s.h.kernel, s.w.kernel},
      y{s.batch, s.out_channels, s.h.out, s.w.out};
  for (Index at = 0; at < y.numel() * channels * s.h.kernel * s.w.kernel; ++at) {
    const Index b = at % s.w.kernel, a = at / s.w.kernel % s.h.kernel, rest = at / s.w.kernel / s.h.kernel;
    const Index c = rest % channels, out = rest / channels, j = out % s.w.out, i = out / s.w.out % s.h.out;
    const Index o = out / s.w.out / s.h.out % s.out_channels, n = out / s.w.out / s.h.out / s.out_channels;
    const Index row = input_of(s.h, i, a), column = input_of(s.w, j, b);
    if (row >= 0 && column >= 0) {
      f(place(x, n, o / outputs * channels + c, row, column), place(w, o, c, a, b), out);
    }
  }
}

/// One convolution: operands, and what the three kernels must give with scale -1.5.
struct ConvCase {
  Conv2dShape s;
  KernelArray x, w, addend, y, gx, gw, gy;

  ConvCase(DType dtype, const Conv2dShape& shape, Layout weight)
      : s(shape),
        x(image(dtype, {s.batch, s.in_channels, s.h.in, s.w.in})),
        w(dtype, {s.out_channels, s.in_channels / s.groups, s.h.kernel, s.w.kernel}, weight),
        addend(dtype, {s.batch, s.out_channels, s.h.out, s.w.out}, Shape{0, 1, 0, 0}),
        y(DType::f64, addend.shape()),
        gx(DType::f64, x.shape()),
        gw(DType::f64, w.shape()),
        gy(image(dtype, addend.shape())) {
    x.scramble(1);
    w.scramble(2);
    addend.scramble(3);
    gy.scramble(4);
    y.fill_by([&](Index i) { return addend.get(i); });
    for_products(s, [&](Index from, Index by, Index to) {
      y.set(to, y.get(to) - 1.5 * x.get(from) * w.get(by));
      gx.set(from, gx.get(from) - 1.5 * gy.get(to) * w.get(by));
      gw.set(by, gw.get(by) - 1.5 * gy.get(to) * x.get(from));
    });
  }
};

struct ConvRow {
  Index n, c, o, groups;
  WindowAxis h, w;
};

const ConvRow kConvolutions[] = {
    {2, 3, 5, 1, axis(5, 3, 1, 1, 1), axis(4, 3, 1, 1, 1)},   {1, 16, 33, 1, axis(4, 3, 1, 1, 1), axis(5, 2, 1, 0, 1)},
    {2, 17, 31, 1, axis(3, 1, 1, 0, 1), axis(5, 1, 1, 0, 1)}, {3, 32, 16, 1, axis(4, 1, 1, 0, 1), axis(4, 1, 1, 0, 1)},
    {1, 4, 6, 2, axis(9, 3, 2, 1, 1), axis(8, 4, 3, 2, 1)},   {1, 5, 5, 5, axis(7, 3, 1, 1, 1), axis(6, 3, 1, 1, 1)},
    {2, 2, 3, 1, axis(11, 3, 2, 2, 3), axis(10, 2, 4, 1, 2)}, {1, 1, 20, 1, axis(12, 5, 5, 4, 1), axis(3, 1, 7, 3, 1)},
    {2, 6, 70, 2, axis(6, 2, 1, 5, 1), axis(5, 3, 2, 0, 2)},  {0, 3, 4, 1, axis(5, 3, 1, 1, 1), axis(5, 3, 1, 1, 1)},
};

/// Rounding of a sum of as many products as there are, below 1.5.
double tolerance(DType dtype, const Conv2dShape& s) {
  const Index terms = s.in_channels * s.h.kernel * s.w.kernel + s.out_channels * s.h.kernel * s.w.kernel + s.batch * s.h.out * s.w.out;
  return rounding(dtype) * static_cast<double>(8 + terms);
}

}  // namespace

TEST_CASE("kernels: convolution and its gradients", "[kernels][conv]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  for (const ConvRow& row : kConvolutions) {
    ConvCase c(dtype, {row.n, row.c, row.o, row.groups, row.h, row.w}, row.c % 2 == 0 ? Layout::contiguous : Layout::reversed);
    for (const auto& [isa, k] : kernel_tables()) {
      KernelArray y = image(dtype, c.y.shape()), gx = image(dtype, c.x.shape()), gw(dtype, c.w.shape());
      const lora::ConstView addend = c.addend.read();
      k->conv2d(Context{}, c.s, -1.5, c.x.read(), c.w.read(), &addend, y.view());
      k->conv2d_grad_input(Context{}, c.s, -1.5, c.w.read(), c.gy.read(), gx.view());
      k->conv2d_grad_weight(Context{}, c.s, -1.5, c.x.read(), c.gy.read(), gw.view());
      CAPTURE(isa, dtype, row.n, row.c, row.o, row.groups, row.h.in, row.h.kernel);
      REQUIRE(worst(y, [&](Index i) { return c.y.get(i); }) <= tolerance(dtype, c.s));
      REQUIRE(worst(gx, [&](Index i) { return c.gx.get(i); }) <= tolerance(dtype, c.s));
      REQUIRE(worst(gw, [&](Index i) { return c.gw.get(i); }) <= tolerance(dtype, c.s));
    }
  }
}

TEST_CASE("kernels: convolutions in pieces have the same bits for any number of threads", "[kernels][conv][threads]") {
  const Conv2dShape s = GENERATE(Conv2dShape{9, 16, 40, 1, axis(14, 3, 1, 1, 1), axis(14, 3, 1, 1, 1)},
                                 Conv2dShape{2, 64, 96, 1, axis(4, 3, 1, 1, 1), axis(4, 3, 1, 1, 1)},
                                 Conv2dShape{5, 24, 48, 3, axis(17, 3, 2, 1, 1), axis(15, 3, 2, 1, 1)},
                                 Conv2dShape{40, 1, 8, 1, axis(28, 5, 1, 2, 1), axis(28, 5, 1, 2, 1)});
  ConvCase c(DType::f32, s, Layout::contiguous);
  const int before = lora::num_threads();
  for (const auto& [isa, k] : cpu_tables()) {
    std::vector<KernelArray> first;
    for (const int threads : {1, 2, 3}) {
      lora::set_num_threads(threads);
      std::vector<KernelArray> found{image(DType::f32, c.y.shape()), image(DType::f32, c.x.shape()), KernelArray(DType::f32, c.w.shape())};
      const lora::ConstView addend = c.addend.read();
      k->conv2d(Context{}, s, -1.5, c.x.read(), c.w.read(), &addend, found[0].view());
      k->conv2d_grad_input(Context{}, s, -1.5, c.w.read(), c.gy.read(), found[1].view());
      k->conv2d_grad_weight(Context{}, s, -1.5, c.x.read(), c.gy.read(), found[2].view());
      CAPTURE(isa, threads);
      if (threads == 1) {
        first = found;
        CHECK(worst(found[0], [&](Index i) { return c.y.get(i); }) <= tolerance(DType::f32, s));
        CHECK(worst(found[1], [&](Index i) { return c.gx.get(i); }) <= tolerance(DType::f32, s));
        CHECK(worst(found[2], [&](Index i) { return c.gw.get(i); }) <= tolerance(DType::f32, s));
      }
      for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i].bytes() == first[i].bytes());
      }
    }
  }
  lora::set_num_threads(before);
}

namespace {

/// Inputs of window (i, j) inside of the image, with their number in the window: f(row, column, number).
template <class F>
void for_window(const Pool2dShape& s, Index i, Index j, const F& f) {
  for (Index a = 0; a < s.h.kernel; ++a) {
    for (Index b = 0; b < s.w.kernel; ++b) {
      const Index row = s.adaptive ? i * s.h.in / s.h.out + a : input_of(s.h, i, a);
      const Index column = s.adaptive ? j * s.w.in / s.w.out + b : input_of(s.w, j, b);
      const bool inside = !s.adaptive || (row * s.h.out < (i + 1) * s.h.in && column * s.w.out < (j + 1) * s.w.in);
      if (row >= 0 && column >= 0 && inside) {
        f(row, column, a * s.w.kernel + b);
      }
    }
  }
}

/// One pooling: the input, the cotangent, and what the kernels must give.
struct PoolCase {
  Pool2dShape s;
  KernelArray x, gy, max, number, max_gx, avg[2], avg_gx[2];

  PoolCase(DType dtype, const Pool2dShape& shape)
      : s(shape),
        x(image(dtype, {s.batch, s.channels, s.h.in, s.w.in})),
        gy(image(dtype, {s.batch, s.channels, s.h.out, s.w.out})),
        max(DType::f64, gy.shape()),
        number(DType::i32, gy.shape()),
        max_gx(DType::f64, x.shape()),
        avg{max, max},
        avg_gx{max_gx, max_gx} {
    x.fill_by([](Index i) { return static_cast<double>((i * 7919 + 13) % 11) - 5; });  // with equals
    gy.scramble(2);
    for (Index out = 0; out < gy.numel(); ++out) {
      const Index j = out % s.w.out, i = out / s.w.out % s.h.out, nc = out / s.w.out / s.h.out;
      expect(out, i, j, nc * s.h.in * s.w.in);
    }
  }

  void expect(Index out, Index i, Index j, Index first) {
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    Index chosen = -1, count = 0;
    for_window(s, i, j, [&](Index row, Index column, Index element) {
      const double value = x.get(first + row * s.w.in + column);
      sum += value;
      ++count;
      if (chosen < 0 || value > largest) {
        largest = value;
        chosen = first + row * s.w.in + column;
        number.set(out, static_cast<double>(element));
      }
    });
    max.set(out, largest);
    if (chosen >= 0) {
      max_gx.set(chosen, max_gx.get(chosen) + gy.get(out));
    }
    for (const int counted : {0, 1}) {
      const double by = static_cast<double>(counted == 1 ? s.h.kernel * s.w.kernel : count);
      avg[counted].set(out, sum / by);
      for_window(s, i, j, [&](Index row, Index column, Index) {
        const Index at = first + row * s.w.in + column;
        avg_gx[counted].set(at, avg_gx[counted].get(at) + gy.get(out) / by);
      });
    }
  }
};

WindowAxis adaptive(Index in, Index out) { return {in, out, in % out == 0 ? in / out : in / out + 2, 1, 0, 1}; }

const Pool2dShape kPools[] = {
    {2, 3, axis(4, 2, 2, 0, 1), axis(6, 2, 2, 0, 1), false},
    {1, 64, axis(7, 3, 2, 1, 1), axis(5, 3, 1, 1, 1), false},
    {1, 65, axis(6, 2, 3, 0, 2), axis(9, 3, 1, 2, 3), false},
    {2, 130, axis(3, 3, 1, 1, 1), axis(1, 1, 1, 0, 1), false},
    {0, 4, axis(4, 2, 2, 0, 1), axis(4, 2, 2, 0, 1), false},
    {1, 1, axis(1, 1, 1, 0, 1), axis(1, 1, 1, 0, 1), false},
    {2, 17, adaptive(7, 3), adaptive(6, 2), true},
    {1, 5, adaptive(2, 5), adaptive(3, 1), true},
    {1, 2, axis(20, 20, 1, 10, 1), axis(20, 20, 3, 3, 1), false},
};

}  // namespace

TEST_CASE("kernels: pooling and its gradients", "[kernels][pool]") {
  const DType dtype = GENERATE(DType::f32, DType::f64);
  for (const Pool2dShape& s : kPools) {
    PoolCase c(dtype, s);
    for (const auto& [isa, k] : kernel_tables()) {
      CAPTURE(isa, dtype, s.channels, s.h.in, s.h.kernel, s.h.stride);
      for (const DType numbers : {DType::u8, DType::i32}) {
        if (numbers == DType::u8 && s.h.kernel * s.w.kernel > 256) {
          continue;
        }
        KernelArray y = image(dtype, c.max.shape()), plain = y, gx = image(dtype, c.x.shape()), argmax = image(numbers, c.max.shape());
        const lora::View out = argmax.view();
        k->max_pool2d(Context{}, s, c.x.read(), &out, y.view());
        k->max_pool2d(Context{}, s, c.x.read(), nullptr, plain.view());
        k->max_pool2d_grad(Context{}, s, argmax.read(), c.gy.read(), gx.view());
        REQUIRE(worst(y, [&](Index i) { return c.max.get(i); }) == 0);
        REQUIRE(worst(argmax, [&](Index i) { return c.number.get(i); }) == 0);
        REQUIRE(plain.bytes() == y.bytes());
        REQUIRE(worst(gx, [&](Index i) { return c.max_gx.get(i); }) <= 16 * rounding(dtype));  // sums of up to a window's terms
      }
      for (const int counted : {0, 1}) {
        if (counted == 1 && s.adaptive) {
          continue;
        }
        KernelArray y = image(dtype, c.max.shape()), gx = image(dtype, c.x.shape());
        k->avg_pool2d(Context{}, s, counted == 1, c.x.read(), y.view());
        k->avg_pool2d_grad(Context{}, s, counted == 1, c.gy.read(), gx.view());
        REQUIRE(worst(y, [&](Index i) { return c.avg[counted].get(i); }) <= 16 * rounding(dtype));
        REQUIRE(worst(gx, [&](Index i) { return c.avg_gx[counted].get(i); }) <= 16 * rounding(dtype));
      }
    }
  }
}

TEST_CASE("kernels: pooling has the same bits for any number of threads", "[kernels][pool][threads]") {
  const Pool2dShape s{8, 48, axis(17, 3, 2, 1, 1), axis(19, 3, 1, 1, 1), false};
  PoolCase c(DType::f32, s);
  const int before = lora::num_threads();
  for (const auto& [isa, k] : cpu_tables()) {
    std::vector<KernelArray> first;
    for (const int threads : {1, 2, 3}) {
      lora::set_num_threads(threads);
      KernelArray argmax = image(DType::u8, c.max.shape());
      std::vector<KernelArray> found{image(DType::f32, c.max.shape()), image(DType::f32, c.max.shape()), image(DType::f32, c.x.shape()),
                                     image(DType::f32, c.x.shape())};
      const lora::View out = argmax.view();
      k->max_pool2d(Context{}, s, c.x.read(), &out, found[0].view());
      k->avg_pool2d(Context{}, s, true, c.x.read(), found[1].view());
      k->max_pool2d_grad(Context{}, s, argmax.read(), c.gy.read(), found[2].view());
      k->avg_pool2d_grad(Context{}, s, true, c.gy.read(), found[3].view());
      CAPTURE(isa, threads);
      if (threads == 1) {
        first = found;
        CHECK(worst(found[0], [&](Index i) { return c.max.get(i); }) == 0);
      }
      for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i].bytes() == first[i].bytes());
      }
    }
  }
  lora::set_num_threads(before);
}
