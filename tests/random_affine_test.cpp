// Random affine maps of images: the map against the steps that it stands for, and what an image becomes.

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "core/base/error.hpp"
#include "core/base/rng.hpp"
#include "datasets/random_affine.hpp"
#include "tests/support/temp_folder.hpp"

namespace {

using namespace lora;
using namespace lora::datasets;
using Catch::Contains;
using lora::test::error_of;

struct Place {
  double x, y;
};

Place at(const AffineMap& map, const Place& p) { return {map.xx * p.x + map.xy * p.y + map.x0, map.yx * p.x + map.yy * p.y + map.y0}; }

/// Where a place goes, step by step as Affine has it.
Place forth(const Affine& affine, Index height, Index width, const Place& place) {
  const double radian = std::numbers::pi / 180, mid_x = 0.5 * static_cast<double>(width - 1), mid_y = 0.5 * static_cast<double>(height - 1);
  Place p{place.x - mid_x, place.y - mid_y};
  p.x += std::tan(affine.shear * radian) * p.y;
  p = {p.x * affine.scale, p.y * affine.scale};
  const double c = std::cos(affine.degrees * radian), s = std::sin(affine.degrees * radian);
  p = {c * p.x - s * p.y, s * p.x + c * p.y};
  return {p.x + mid_x + affine.right, p.y + mid_y + affine.down};
}

constexpr RandomAffine kWide{.degrees = 180, .translate = 9, .scale = 0.5, .shear = 60};

/// The values f(x, y) of [height, width] places.
template <class F>
FramedImage image_of(Index height, Index width, float outside, F f) {
  FramedImage image(height, width, outside);
  for (Index y = 0; y < height; ++y) {
    for (Index x = 0; x < width; ++x) {
      image.row(y)[x] = f(static_cast<float>(x), static_cast<float>(y));
    }
  }
  return image;
}

std::vector<float> warped(const FramedImage& image, const AffineMap& map, Index height, Index width) {
  std::vector<float> out(static_cast<std::size_t>(height * width));
  image.warp(map, out.data());
  return out;
}

}  // namespace

TEST_CASE("random affine: the map takes each place back to where it came from", "[datasets]") {
  for (std::uint64_t i = 0; i < 200; ++i) {
    const Affine affine = kWide.draw({5, 1, 0}, i);
    const AffineMap map = inverse_map(affine, 20, 31);
    for (const Place place : {Place{0, 0}, Place{30, 0}, Place{7.5, 19}, Place{-4, 25}}) {
      const Place back = at(map, forth(affine, 20, 31, place));
      CHECK(std::hypot(back.x - place.x, back.y - place.y) <= 1e-4);  // float32 coefficients times distances of up to 100
    }
  }
}

TEST_CASE("random affine: numbers are drawn evenly from their ranges, the same ones for the same place", "[datasets]") {
  constexpr int kDraws = 4000;
  std::array<double, 5> sum{}, square{}, most{};
  const auto parts = [](const Affine& a) {
    return std::array{a.shear / kWide.shear, (a.scale - 1) / kWide.scale, a.degrees / kWide.degrees, a.right / kWide.translate,
                      a.down / kWide.translate};
  };
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    const auto drawn = parts(kWide.draw({3, 2, 0}, i));
    CHECK(drawn == parts(kWide.draw({3, 2, 0}, i)));
    CHECK(drawn != parts(kWide.draw({3, 2, 0}, i + 1)));
    CHECK(drawn[3] != drawn[4]);
    for (std::size_t k = 0; k < drawn.size(); ++k) {
      sum[k] += drawn[k] / kDraws;
      square[k] += drawn[k] * drawn[k] / kDraws;
      most[k] = std::max(most[k], std::abs(drawn[k]));
    }
  }
  for (std::size_t k = 0; k < sum.size(); ++k) {  // of a uniform number in -1..1: mean 0, mean square 1/3; five standard errors
    INFO(k);
    CHECK(std::abs(sum[k]) <= 5 * std::sqrt(1.0 / 3 / kDraws));
    CHECK(std::abs(square[k] - 1.0 / 3) <= 5 * std::sqrt(4.0 / 45 / kDraws));
    CHECK((most[k] > 0.99 && most[k] <= 1));
  }
}

TEST_CASE("random affine: an image is read between its pixels, and is what it was where nothing is done", "[datasets]") {
  const auto plane = [](float x, float y) { return 2 * x - 3 * y + 5; };  // bilinear interpolation has no error on it
  constexpr Index kHeight = 12, kWidth = 17;
  const FramedImage image = image_of(kHeight, kWidth, -1000, plane);
  int inside = 0, outside = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const AffineMap map = inverse_map(kWide.draw({8, 4, 0}, i), kHeight, kWidth);
    const std::vector<float> out = warped(image, map, kHeight, kWidth);
    for (Index p = 0; p < kHeight * kWidth; ++p) {
      const Place from = at(map, {static_cast<double>(p % kWidth), static_cast<double>(p / kWidth)});
      const float value = out[static_cast<std::size_t>(p)];
      if (from.x >= 0 && from.y >= 0 && from.x <= kWidth - 1 && from.y <= kHeight - 1) {
        CHECK(std::abs(value - plane(static_cast<float>(from.x), static_cast<float>(from.y))) <= 1e-3);  // 1e-4 of a place, slopes of 5
        ++inside;
      } else if (from.x <= -1 || from.y <= -1 || from.x >= kWidth || from.y >= kHeight) {
        CHECK(value == -1000);
        ++outside;
      }
    }
  }
  CHECK((inside > 1000 && outside > 1000));
  const std::vector<float> same = warped(image, inverse_map(RandomAffine{}.draw({1, 2, 0}, 3), kHeight, kWidth), kHeight, kWidth);
  for (Index p = 0; p < kHeight * kWidth; ++p) {
    CHECK(same[static_cast<std::size_t>(p)] == plane(static_cast<float>(p % kWidth), static_cast<float>(p / kWidth)));
  }
  CHECK(RandomAffine{}.is_identity());
  CHECK_FALSE(RandomAffine{.shear = 1}.is_identity());
}

TEST_CASE("random affine: a pixel goes to the right when moved right, down when moved down, and clockwise when turned", "[datasets]") {
  const auto place_of_dot = [](const Affine& affine) {
    const FramedImage dot = image_of(5, 5, 0, [](float x, float y) { return x == 3 && y == 2 ? 1.0f : 0.0f; });
    const std::vector<float> out = warped(dot, inverse_map(affine, 5, 5), 5, 5);
    return std::max_element(out.begin(), out.end()) - out.begin();
  };
  CHECK(place_of_dot({}) == 2 * 5 + 3);
  CHECK(place_of_dot({.right = 1}) == 2 * 5 + 4);
  CHECK(place_of_dot({.down = 1}) == 3 * 5 + 3);
  CHECK(place_of_dot({.degrees = 90}) == 3 * 5 + 2);
  CHECK(place_of_dot({.scale = 2}) == 2 * 5 + 4);
}

TEST_CASE("random affine: an image that is moved further than numbers go is out of sight", "[datasets]") {
  const FramedImage image = image_of(4, 3, -1, [](float, float) { return 1.0f; });
  constexpr RandomAffine kFar{.degrees = 180, .translate = 1.7e308, .scale = 0.9, .shear = 89};
  for (std::uint64_t i = 0; i < 50; ++i) {
    CHECK(warped(image, inverse_map(kFar.draw({6, 3, 0}, i), 4, 3), 4, 3) == std::vector<float>(12, -1));
  }
}

TEST_CASE("random affine: what cannot be drawn from is refused by name", "[datasets]") {
  const auto refusal = [](const RandomAffine& range) { return error_of([&] { check_range(range); }); };
  CHECK_THAT(refusal({.degrees = 181}), Contains("degrees must be 0 to 180, got 181"));
  CHECK_THAT(refusal({.translate = -1}), Contains("translate must be 0 or more pixels, got -1"));
  CHECK_THAT(refusal({.scale = 1}), Contains("scale must be at least 0 and below 1, got 1"));
  CHECK_THAT(refusal({.shear = 90}), Contains("shear must be at least 0 and below 90 degrees, got 90"));
  CHECK_THAT(refusal({.degrees = std::numeric_limits<double>::quiet_NaN()}), Contains("degrees must be"));
  CHECK_THAT(refusal({.translate = std::numeric_limits<double>::infinity()}), Contains("translate must be"));
  check_range(kWide);
}
