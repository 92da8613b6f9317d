#include "datasets/random_affine.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "core/base/error.hpp"

namespace lora::datasets {

namespace {

/// Uniform in -most .. most.
double spread(std::uint32_t word, double most) { return (2.0 * uniform_f32(word) - 1.0) * most; }

/// 0 .. most; 0 for NaN, which std::clamp would let through.
float within(float place, float most) { return std::max(0.0f, std::min(place, most)); }

float mix(float a, float b, float share) { return a + share * (b - a); }

double radians(double degrees) { return degrees * std::numbers::pi / 180.0; }

void check_amount(const char* name, double value, bool in_range, const char* range) {
  require(std::isfinite(value) && value >= 0 && in_range, "random_affine", name, " must be ", range, ", got ", value);
}

}  // namespace

Affine RandomAffine::draw(const PhiloxState& state, std::uint64_t i) const {
  const std::array<std::uint32_t, 4> first = state.block(2 * i), second = state.block(2 * i + 1);
  Affine affine;
  affine.shear = spread(first[0], shear);
  affine.scale = 1.0 + spread(first[1], scale);
  affine.degrees = spread(first[2], degrees);
  affine.right = spread(second[0], translate);
  affine.down = spread(second[1], translate);
  return affine;
}

void check_range(const RandomAffine& range) {
  check_amount("degrees", range.degrees, range.degrees <= 180, "0 to 180");
  check_amount("translate", range.translate, true, "0 or more pixels");
  check_amount("scale", range.scale, range.scale < 1, "at least 0 and below 1");
  check_amount("shear", range.shear, range.shear < 90, "at least 0 and below 90 degrees");
}

AffineMap inverse_map(const Affine& affine, Index height, Index width) {
  const double slant = std::tan(radians(affine.shear));
  const double c = std::cos(radians(affine.degrees)) / affine.scale, s = std::sin(radians(affine.degrees)) / affine.scale;
  const double xx = c + slant * s, xy = s - slant * c, yx = -s, yy = c;  // (1 -slant; 0 1)(c s; -s c)
  const double mid_x = 0.5 * static_cast<double>(width - 1), mid_y = 0.5 * static_cast<double>(height - 1);
  const double to_x = mid_x + affine.right, to_y = mid_y + affine.down;
  AffineMap map;
  map.xx = static_cast<float>(xx);
  map.xy = static_cast<float>(xy);
  map.x0 = static_cast<float>(mid_x - xx * to_x - xy * to_y);
  map.yx = static_cast<float>(yx);
  map.yy = static_cast<float>(yy);
  map.y0 = static_cast<float>(mid_y - yx * to_x - yy * to_y);
  return map;
}

FramedImage::FramedImage(Index height, Index width, float outside)
    : height_(height), width_(width), values_(static_cast<std::size_t>((height + 2) * (width + 2)), outside) {}

void FramedImage::warp(const AffineMap& map, float* out) const {
  const auto right = static_cast<float>(width_ + 1), bottom = static_cast<float>(height_ + 1);  // of the frame, its left and top at 0
  const Index stride = width_ + 2;
  for (Index row = 0; row < height_; ++row) {
    const auto y = static_cast<float>(row);
    for (Index column = 0; column < width_; ++column) {
      const auto x = static_cast<float>(column);
      const float from_x = within(map.xx * x + map.xy * y + map.x0 + 1, right);
      const float from_y = within(map.yx * x + map.yy * y + map.y0 + 1, bottom);
      const Index left = std::min(static_cast<Index>(from_x), width_), top = std::min(static_cast<Index>(from_y), height_);
      const float* const four = values_.data() + top * stride + left;
      const float share_x = from_x - static_cast<float>(left), share_y = from_y - static_cast<float>(top);
      const float above = mix(four[0], four[1], share_x), below = mix(four[stride], four[stride + 1], share_x);
      *out++ = mix(above, below, share_y);
    }
  }
}

}  // namespace lora::datasets
