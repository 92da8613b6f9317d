#include "tests/support/bf16_products.hpp"

#include <cmath>

#include "core/ops/conv.hpp"
#include "core/ops/convert.hpp"
#include "core/ops/matmul.hpp"

namespace lora::test {

namespace {

std::size_t place(Index i) { return static_cast<std::size_t>(i); }

ProductCase matmul_case() {
  const Index batch = 3, m = 5, k = 17, n = 4;
  ProductCase c{"matmul", {batch, m, k}, {batch, k, n}, {}, {batch, m, n}};
  c.run = [](const Tensor& x, const Tensor& w, const Tensor&) { return matmul(x, w); };
  for (Index y = 0; y < batch * m * n; ++y) {
    const Index j = y % n, i = y / n, b = i / m;
    for (Index p = 0; p < k; ++p) {
      c.terms.push_back({place(y), place(i * k + p), place((b * k + p) * n + j)});
    }
  }
  return c;
}

void add_linear_terms(ProductCase& c, Index rows, Index in, Index out) {
  for (Index y = 0; y < rows * out; ++y) {
    for (Index p = 0; p < in; ++p) {
      c.terms.push_back({place(y), place(y / out * in + p), place(y % out * in + p)});
    }
  }
}

ProductCase linear_case() {
  ProductCase c{"linear", {6, 33}, {5, 33}, {5}, {6, 5}};
  c.run = [](const Tensor& x, const Tensor& w, const Tensor& bias) { return linear(x, w, bias); };
  add_linear_terms(c, 6, 33, 5);
  return c;
}

ProductCase linear_add_case() {
  ProductCase c{"linear_add", {2, 3, 9}, {7, 9}, {2, 3, 7}, {2, 3, 7}, 0.3};
  c.run = [](const Tensor& x, const Tensor& w, const Tensor& addend) { return linear_add(addend, x, w, 0.3); };
  add_linear_terms(c, 6, 9, 7);
  return c;
}

struct ConvSizes {
  Index batch, in, out, side, kernel, stride, padding, dilation, groups;

  Index result() const { return (side + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1; }
  Conv2dOptions options() const { return {stride, padding, dilation, groups}; }
};

/// Of output y, whose window has its first element at row h0 and column w0 of the image.
void add_window_terms(ProductCase& c, const ConvSizes& s, std::size_t y, std::array<Index, 4> at) {
  const auto [n, o, h0, w0] = at;
  const Index inputs = s.in / s.groups, group = o / (s.out / s.groups);
  for (Index e = 0; e < inputs * s.kernel * s.kernel; ++e) {
    const Index channel = e / s.kernel / s.kernel, h = h0 + e / s.kernel % s.kernel * s.dilation, w = w0 + e % s.kernel * s.dilation;
    if (h >= 0 && h < s.side && w >= 0 && w < s.side) {
      c.terms.push_back(
          {y, place(((n * s.in + group * inputs + channel) * s.side + h) * s.side + w), place(o * inputs * s.kernel * s.kernel + e)});
    }
  }
}

ProductCase conv_case(std::string name, const ConvSizes& s, double scale) {
  const Index side = s.result();
  ProductCase c{std::move(name), {s.batch, s.in, s.side, s.side}, {s.out, s.in / s.groups, s.kernel, s.kernel}, {}, {}, scale};
  c.y = {s.batch, s.out, side, side};
  for (Index y = 0; y < c.y.numel(); ++y) {
    const Index channel = y / side / side;
    const Index h0 = y / side % side * s.stride - s.padding, w0 = y % side * s.stride - s.padding;
    add_window_terms(c, s, place(y), {channel / s.out, channel % s.out, h0, w0});
  }
  return c;
}

ProductCase grouped_conv_case() {
  const ConvSizes s{2, 4, 6, 7, 3, 2, 1, 1, 2};
  ProductCase c = conv_case("conv2d", s, 1.0);
  c.addend = {6};
  c.run = [s](const Tensor& x, const Tensor& w, const Tensor& bias) { return conv2d(x, w, bias, s.options()); };
  return c;
}

ProductCase conv_add_case() {
  const ConvSizes s{1, 3, 5, 8, 3, 1, 2, 2, 1};
  ProductCase c = conv_case("conv2d_add", s, -0.7);
  c.addend = c.y;
  c.run = [s](const Tensor& x, const Tensor& w, const Tensor& addend) { return conv2d_add(addend, x, w, -0.7, s.options()); };
  return c;
}

std::vector<double> rounded(const Tensor& x) {
  std::vector<double> values = to(x, DType::f64).to_vector<double>();
  for (double& value : values) {
    value = nearest_bf16(value);
  }
  return values;
}

void add(Sum& sum, double term) {
  sum.value += term;
  sum.size += std::abs(term);
}

}  // namespace

std::vector<ProductCase> product_cases() { return {matmul_case(), linear_case(), linear_add_case(), grouped_conv_case(), conv_add_case()}; }

ProductSums bf16_sums(const ProductCase& c, const Tensor& x, const Tensor& w, const Tensor& addend, const Tensor& gy) {
  const std::vector<double> xs = rounded(x), ws = rounded(w), gys = rounded(gy);
  const std::vector<double> start = addend.defined() ? rounded(addend) : std::vector<double>(gys.size());
  ProductSums sums{std::vector<Sum>(gys.size()), std::vector<Sum>(xs.size()), std::vector<Sum>(ws.size())};
  for (std::size_t i = 0; i < start.size(); ++i) {
    add(sums.y[i], start[i]);
  }
  for (const ProductCase::Term& t : c.terms) {
    add(sums.y[t.y], c.scale * xs[t.x] * ws[t.w]);
    add(sums.gx[t.x], c.scale * gys[t.y] * ws[t.w]);
    add(sums.gw[t.w], c.scale * gys[t.y] * xs[t.x]);
  }
  return sums;
}

double nearest_bf16(double value) {
  int exponent = 0;
  const double mantissa = std::frexp(value, &exponent);             // in [0.5, 1)
  return std::ldexp(std::nearbyint(mantissa * 256), exponent - 8);  // the default rounding is to even
}

double bf16_ulp(double value) { return value == 0 ? 0 : std::ldexp(1.0, std::ilogb(value) - 7); }

double f32_error(const Sum& sum) {
  constexpr double kRoundings = 70;  // at most 65 terms, the scale, its product and the addend
  return 0x1p-24 * kRoundings * sum.size;
}

}  // namespace lora::test
