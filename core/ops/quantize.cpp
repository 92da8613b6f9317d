#include "core/ops/quantize.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/ops/convert.hpp"
#include "core/ops/kernel_call.hpp"
#include "core/ops/view.hpp"

namespace lora {

namespace {

constexpr std::array<float, 16> kNf4{-1.0f,
                                     -0.6961928009986877f,
                                     -0.5250730514526367f,
                                     -0.39491748809814453f,
                                     -0.28444138169288635f,
                                     -0.18477343022823334f,
                                     -0.09105003625154495f,
                                     0.0f,
                                     0.07958029955625534f,
                                     0.16093020141124725f,
                                     0.24611230194568634f,
                                     0.33791524171829224f,
                                     0.44070982933044434f,
                                     0.5626170039176941f,
                                     0.7229568362236023f,
                                     1.0f};

// Codes 0 to 7, times 12; bit 3 is the sign.
constexpr std::array<float, 8> kFp4{0.0f, 0.0625f, 8.0f, 12.0f, 4.0f, 6.0f, 2.0f, 3.0f};

std::array<float, 16> values_of(QuantType type) {
  if (type == QuantType::nf4) {
    return kNf4;
  }
  std::array<float, 16> values{};
  for (std::size_t i = 0; i < kFp4.size(); ++i) {
    values[i] = kFp4[i] / 12.0f;
    values[i + 8] = -values[i];
  }
  return values;
}

/// Thresholds half way between neighbours, in f32.
kernels::Codebook4 codebook(QuantType type) {
  const std::array<float, 16> values = values_of(type);
  kernels::Codebook4 book{};
  book.by_magnitude = type == QuantType::fp4;
  const std::size_t count = book.by_magnitude ? 8 : 16;
  std::iota(book.codes, book.codes + count, std::uint8_t{0});
  std::sort(book.codes, book.codes + count, [&values](std::uint8_t a, std::uint8_t b) { return values[a] < values[b]; });
  std::fill(std::begin(book.thresholds), std::end(book.thresholds), std::numeric_limits<float>::infinity());
  for (std::size_t k = 0; k + 1 < count; ++k) {
    book.thresholds[k] = (values[book.codes[k]] + values[book.codes[k + 1]]) / 2;
  }
  return book;
}

/// Number k of n that divide 0.1..1 evenly, rounded as PyTorch's linspace does in f32, on which the last bits of the map depend.
float division(Index k, Index n) {
  const double step = (1.0f - 0.1f) / static_cast<float>(n - 1);
  const double at = k < n / 2 ? static_cast<double>(0.1f) + step * static_cast<double>(k) : 1.0 - step * static_cast<double>(n - 1 - k);
  return static_cast<float>(at);
}

void require_blocksize(std::string_view op, Index blocksize) {
  require(blocksize >= 32 && blocksize <= 4096 && (blocksize & (blocksize - 1)) == 0, op,
          "the blocksize must be a power of two from 32 to 4096, got ", blocksize);
}

Index blocks_of(Index n, Index blocksize) { return n / blocksize + (n % blocksize != 0 ? 1 : 0); }

void require_finite(std::string_view op, const Tensor& x, const Tensor& absmax) {
  const std::vector<float> scales = absmax.to_vector<float>();
  const bool finite = std::all_of(scales.begin(), scales.end(), [](float scale) { return std::isfinite(scale); });
  require(finite, op, "there are numbers in ", x, " that are not finite in f32; they cannot be quantized");
}

/// Scales first .. first + count - 1.
Tensor some_scales(const Quantized4Bit& q, Index first, Index count) {
  if (!q.nested()) {
    return narrow(q.absmax, 0, first, count);
  }
  Tensor scales = empty({count}, DType::f32, q.absmax.device());
  const kernels::BlockCodes codes{q.absmax.view(), q.nested_absmax.view(), q.nested_code.view(), q.nested_blocksize};
  detail::kernels_of(q.absmax).dequantize_8bit(detail::context_of(q.absmax), codes, first, q.offset, scales.mutable_view());
  return scales;
}

/// Numbers first .. first + shape.numel() - 1 of the flattened tensor. Kernels count from the block that the first one is in, so that no
/// more scales than needed are expanded.
Tensor some_numbers(const Quantized4Bit& q, Index first, const Shape& shape) {
  Tensor y = empty(shape, DType::f32, q.packed.device());
  const Index skipped = first / q.blocksize;
  const Tensor scales = some_scales(q, skipped, blocks_of(first + y.numel(), q.blocksize) - skipped);
  const Tensor packed = narrow(flatten(q.packed), 0, skipped * q.blocksize / 2, q.packed.numel() - skipped * q.blocksize / 2);
  const kernels::BlockCodes codes{packed.view(), scales.view(), q.code.view(), q.blocksize};
  detail::kernels_of(y).dequantize_4bit(detail::context_of(y), codes, first - skipped * q.blocksize, y.mutable_view());
  return to(y, q.dtype);
}

/// The scales of q, which are f32, in 8 bits around their mean.
void quantize_scales(Quantized4Bit& q) {
  const std::vector<float> scales = q.absmax.to_vector<float>();
  const double total = std::accumulate(scales.begin(), scales.end(), 0.0);
  q.offset = scales.empty() ? 0.0f : static_cast<float>(total / static_cast<double>(scales.size()));
  std::vector<float> centred = scales;
  for (float& scale : centred) {
    scale -= q.offset;
  }
  const Device& device = q.absmax.device();
  q.nested_code = to(dynamic_map(), device);
  const Tensor values = to(from_values(centred, q.absmax.shape()), device);
  const Quantized8Bit nested = quantize_blockwise(values, q.nested_code, q.nested_blocksize);
  q.absmax = nested.codes;
  q.nested_absmax = nested.absmax;
}

void require_part(std::string_view where, const char* part, const Tensor& x, DType dtype, Index numel) {
  require(x.defined(), where, part, " is missing");
  require(x.dtype() == dtype && x.numel() == numel && x.is_contiguous(), where, part, " is ", x, ", expected ", numel, " ", dtype,
          " without gaps");
}

}  // namespace

std::string_view name(QuantType type) { return type == QuantType::nf4 ? "nf4" : "fp4"; }

std::ostream& operator<<(std::ostream& out, QuantType type) { return out << name(type); }

Tensor code_4bit(QuantType type) {
  const std::array<float, 16> values = values_of(type);
  return from_values(std::span<const float>(values), {16});
}

Tensor dynamic_map() {
  std::vector<float> values{0.0f, 1.0f};
  for (int exponent = 0; exponent < 7; ++exponent) {
    const auto power = static_cast<float>(std::pow(10.0, exponent - 6));
    const Index parts = Index{1} << exponent;
    for (Index k = 0; k < parts; ++k) {
      const float value = power * ((division(k, parts + 1) + division(k + 1, parts + 1)) / 2);
      values.insert(values.end(), {value, -value});
    }
  }
  std::sort(values.begin(), values.end());
  return from_values(values, {256});
}

Quantized8Bit quantize_blockwise(const Tensor& x, const Tensor& map, Index blocksize) {
  require_blocksize("quantize_blockwise", blocksize);
  require(x.dtype() == DType::f32, "quantize_blockwise", "x must be f32, got ", x);
  require_part("quantize_blockwise", "map", map, DType::f32, 256);
  detail::require_same_device("quantize_blockwise", x, map);
  const Tensor flat = contiguous(x.detach());
  Quantized8Bit q{empty(x.shape(), DType::u8, x.device()), empty({blocks_of(x.numel(), blocksize)}, DType::f32, x.device())};
  detail::kernels_of(x).quantize_8bit(detail::context_of(x), map.view(), blocksize, flat.view(), q.codes.mutable_view(),
                                      q.absmax.mutable_view());
  require_finite("quantize_blockwise", x, q.absmax);
  return q;
}

std::size_t Quantized4Bit::nbytes() const {
  std::size_t bytes = 0;
  for (const Tensor* part : {&packed, &absmax, &code, &nested_absmax, &nested_code}) {
    bytes += part->defined() ? part->nbytes() : 0;
  }
  return bytes + (nested() ? sizeof(offset) : 0);
}

Quantized4Bit quantize_4bit(const Tensor& x, const Quantize4BitOptions& options) {
  require_blocksize("quantize_4bit", options.blocksize);
  require(is_floating(x.dtype()), "quantize_4bit", "x must hold real numbers, got ", x, "; convert it with to()");
  const Tensor flat = contiguous(to(x.detach(), DType::f32));
  const Index n = x.numel();
  Quantized4Bit q;
  q.quant_type = options.quant_type;
  q.blocksize = options.blocksize;
  q.shape = x.shape();
  q.dtype = x.dtype();
  q.packed = empty({n / 2 + n % 2, 1}, DType::u8, x.device());
  q.absmax = empty({blocks_of(n, q.blocksize)}, DType::f32, x.device());
  q.code = to(code_4bit(q.quant_type), x.device());
  detail::kernels_of(x).quantize_4bit(detail::context_of(x), codebook(q.quant_type), q.blocksize, flat.view(), q.packed.mutable_view(),
                                      q.absmax.mutable_view());
  require_finite("quantize_4bit", x, q.absmax);
  if (options.double_quant) {
    quantize_scales(q);
  }
  return q;
}

Tensor dequantize_4bit(const Quantized4Bit& q) {
  check_quantized("dequantize_4bit", q);
  return some_numbers(q, 0, q.shape);
}

Tensor dequantize_4bit(const Quantized4Bit& q, Index first, Index last) {
  check_quantized("dequantize_4bit", q);
  require(q.shape.ndim() > 0, "dequantize_4bit", "a tensor without axes has no rows");
  require(0 <= first && first <= last && last <= q.shape[0], "dequantize_4bit", "rows ", first, " to ", last, " are not within 0 to ",
          q.shape[0]);
  Shape shape = q.shape;
  shape[0] = last - first;
  const Index row = q.shape[0] > 0 ? q.numel() / q.shape[0] : 0;
  return some_numbers(q, first * row, shape);
}

Quantized4Bit to(const Quantized4Bit& q, const Device& device) {
  Quantized4Bit moved = q;
  for (Tensor* part : {&moved.packed, &moved.absmax, &moved.code, &moved.nested_absmax, &moved.nested_code}) {
    *part = part->defined() ? to(*part, device) : *part;
  }
  return moved;
}

Tensor scales_of(const Quantized4Bit& q) {
  check_quantized("scales_of", q);
  return some_scales(q, 0, q.absmax.numel());
}

void check_quantized(std::string_view where, const Quantized4Bit& q) {
  require_blocksize(where, q.blocksize);
  require(is_floating(q.dtype), where, "a 4-bit tensor stands for real numbers, not for ", q.dtype);
  const Index n = q.numel(), blocks = blocks_of(n, q.blocksize);
  require_part(where, "packed", q.packed, DType::u8, n / 2 + n % 2);
  require_part(where, "code", q.code, DType::f32, 16);
  require_part(where, "absmax", q.absmax, q.nested() ? DType::u8 : DType::f32, blocks);
  if (q.nested()) {
    require_blocksize(where, q.nested_blocksize);
    require_part(where, "nested_absmax", q.nested_absmax, DType::f32, blocks_of(blocks, q.nested_blocksize));
    require_part(where, "nested_code", q.nested_code, DType::f32, 256);
  }
  for (const Tensor* part : {&q.absmax, &q.code, &q.nested_absmax, &q.nested_code}) {
    if (part->defined()) {
      detail::require_same_device(where, q.packed, *part);
    }
  }
}

}  // namespace lora
