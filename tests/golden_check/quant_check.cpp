#include <cmath>
#include <limits>

#include "core/ops/convert.hpp"
#include "core/ops/pointwise.hpp"
#include "core/ops/quantize.hpp"
#include "tests/golden_check/check.hpp"

namespace lora::test {

namespace {

Quantize4BitOptions options_of(Case& c, bool double_quant) {
  const auto type = c.attribute<std::string>("quant_type");
  require(type == "nf4" || type == "fp4", "golden", "unknown quant_type '", type, "'");
  const auto dtype = c.attribute<std::string>("dtype");
  require(dtype == "float32", "golden", "unknown dtype '", dtype, "'");
  c.mark_attribute_read("bitsandbytes");
  return {type == "nf4" ? QuantType::nf4 : QuantType::fp4, c.attribute<Index>("blocksize"), double_quant};
}

/// Within so many units in the last place of f32.
Case::Agreement within_ulps(double ulps) {
  return [ulps](double found, double expected, std::size_t) {
    const float size = std::abs(static_cast<float>(expected));
    return std::abs(found - expected) <= ulps * static_cast<double>(std::nextafter(size, std::numeric_limits<float>::infinity()) - size);
  };
}

/// Numbers that were quantized, in units of their block's scale: x / absmax.
struct Relative {
  std::vector<float> x, absmax;
  std::size_t blocksize;

  double at(std::size_t i) const {
    const float scale = absmax[i / blocksize];
    return i < x.size() && scale > 0 ? static_cast<double>(x[i]) / static_cast<double>(scale) : 0.0;
  }
  bool is_zero_block(std::size_t i) const { return i < x.size() && absmax[i / blocksize] == 0; }
};

/// Values of codes. Where x / absmax is half way between two values, up to `slack`, either is right. In blocks of zeros, which are zeros
/// whatever the code, the references have the value of 0 or code 0.
Case::Agreement same_values(Relative numbers, double slack, double value_of_code_0) {
  return [numbers = std::move(numbers), slack, value_of_code_0](double found, double expected, std::size_t i) {
    const bool tie = std::abs(numbers.at(i) - (found + expected) / 2) <= slack;
    return found == expected || tie || (numbers.is_zero_block(i) && expected == value_of_code_0);
  };
}

constexpr double kRoundings = 0x1p-22;       // of the reciprocal, of the product and of the value half way
constexpr double kGrid = 0x1p-16 + 0x1p-22;  // bitsandbytes' CPU code for 8 bits rounds x / absmax to a grid of 2^-15 first

/// table[code] of every code, the one that fills the last byte too.
Tensor values_of(const Tensor& packed, const Tensor& table) {
  std::vector<float> values;
  const auto of_code = table.to_vector<float>();
  for (const int byte : packed.to_vector<int>()) {
    values.push_back(of_code[static_cast<std::size_t>(byte >> 4)]);
    values.push_back(of_code[static_cast<std::size_t>(byte & 15)]);
  }
  return from_values(values, {static_cast<Index>(values.size())});
}

Tensor values_of_bytes(const Tensor& codes, const Tensor& table) {
  std::vector<float> values;
  const auto of_code = table.to_vector<float>();
  for (const int code : codes.to_vector<int>()) {
    values.push_back(of_code[static_cast<std::size_t>(code)]);
  }
  return from_values(values, codes.shape());
}

/// A tensor of the file on the device.
Tensor stored(Case& c, const std::string& name) { return to(c.reference(name), c.device()); }

/// The scales in 8 bits. Their mean depends on the order of its sum, so the rest is checked with the reference's.
void check_scales(Case& c, const Tensor& absmax, const Quantized4Bit& full) {
  require(c.attribute<Index>("nested_blocksize") == full.nested_blocksize, "golden", "nested_blocksize is not ", full.nested_blocksize);
  c.expect("nested_code", full.nested_code);
  // Sums of at most some thousand scales in f32, in whichever order.
  c.compare("offset", lora::full(c.reference("offset").shape(), full.offset), c.reference("offset"), within_ulps(4));
  const Tensor centred = absmax - stored(c, "offset");
  const Quantized8Bit nested = quantize_blockwise(centred, full.nested_code, full.nested_blocksize);
  c.expect("nested_absmax", nested.absmax);
  require(c.reference("absmax_u8").shape() == nested.codes.shape(), "golden", "absmax_u8 is ", c.reference("absmax_u8"), ", expected ",
          nested.codes);
  Relative numbers{centred.to_vector<float>(), nested.absmax.to_vector<float>(), static_cast<std::size_t>(full.nested_blocksize)};
  const double first = full.nested_code.to_vector<double>().front();
  c.compare("absmax_u8", values_of_bytes(nested.codes, full.nested_code), values_of_bytes(c.reference("absmax_u8"), full.nested_code),
            same_values(std::move(numbers), kGrid, first));
}

/// The case's own codes and scales, which `dequantized` is made of.
Quantized4Bit as_stored(Case& c, Quantized4Bit q) {
  q.packed = stored(c, "packed");
  q.code = stored(c, "code");
  if (q.nested()) {
    q.absmax = stored(c, "absmax_u8");
    q.nested_absmax = stored(c, "nested_absmax");
    q.nested_code = stored(c, "nested_code");
    q.offset = c.reference("offset").item<float>();
  } else {
    q.absmax = stored(c, "absmax");
  }
  return q;
}

}  // namespace

/// A tensor in 4 bits, its scales in f32 or in 8 bits, and the tensor that comes back.
void check_quant(Case& c) {
  const bool nested = c.attribute<bool>("nested");
  const Tensor weight = c.input("weight");
  const Quantized4Bit plain = quantize_4bit(weight, options_of(c, false));
  const Quantized4Bit full = quantize_4bit(weight, options_of(c, nested));
  c.expect("code", full.code);
  require(c.reference("packed").shape() == full.packed.shape(), "golden", "packed is ", c.reference("packed"), ", expected ", full.packed);
  const auto codes = full.code.to_vector<double>();
  c.compare("packed", values_of(full.packed, full.code), values_of(c.reference("packed"), full.code),
            same_values({weight.to_vector<float>(), plain.absmax.to_vector<float>(), static_cast<std::size_t>(full.blocksize)}, kRoundings,
                        codes[0]));
  if (nested) {
    check_scales(c, plain.absmax, full);
  } else {
    require(c.attribute<Index>("nested_blocksize") == 0, "golden", "nested_blocksize is not 0");
    c.expect("absmax", full.absmax);
  }
  c.compare("dequantized", dequantize_4bit(as_stored(c, full)), c.reference("dequantized"), within_ulps(1));
}

}  // namespace lora::test
