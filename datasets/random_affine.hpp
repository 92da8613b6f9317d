#pragma once
// Images turned, slanted, resized and moved at random: more training images from those that there are.

#include <cstdint>
#include <vector>

#include "core/base/rng.hpp"
#include "core/base/shape.hpp"

namespace lora::datasets {

/// What is done to one image, about its middle, in this order: slant, size, turn, place.
struct Affine {
  double shear = 0;    ///< degrees; a row is moved across by tan(shear) times its distance from the middle
  double scale = 1;    ///< factor of the size
  double degrees = 0;  ///< turned from the x axis towards the y axis, which points down
  double right = 0;    ///< pixels
  double down = 0;     ///< pixels
};

/// The most that may be done to an image; each number is drawn uniformly and anew for each image. All 0: images stay as they are.
/// As torchvision's RandomAffine, with pixels where that takes shares of the size.
struct RandomAffine {
  double degrees = 0;    ///< turned by -degrees .. degrees; at most 180
  double translate = 0;  ///< moved by -translate .. translate pixels across, and by another such number down
  double scale = 0;      ///< enlarged by a factor of 1 - scale .. 1 + scale; below 1
  double shear = 0;      ///< slanted by -shear .. shear degrees; below 90

  bool is_identity() const { return degrees == 0 && translate == 0 && scale == 0 && shear == 0; }
  /// What blocks 2 i and 2 i + 1 of a random sequence say.
  Affine draw(const PhiloxState& state, std::uint64_t i) const;
};

/// @throws Error naming the number that is not finite or out of range
void check_range(const RandomAffine& range);

/// The place in the image before that a place after, column x and row y, comes from: (xx x + xy y + x0, yx x + yy y + y0).
struct AffineMap {
  float xx = 1, xy = 0, x0 = 0;
  float yx = 0, yy = 1, y0 = 0;
};

AffineMap inverse_map(const Affine& affine, Index height, Index width);

/// An image in a frame of one pixel, so that every place outside has a value too.
class FramedImage {
 public:
  FramedImage(Index height, Index width, float outside);

  /// `width` values.
  float* row(Index y) { return values_.data() + (y + 1) * (width_ + 2) + 1; }
  /// Writes [height, width] values: each the bilinear interpolation of this image at the place that the map gives.
  void warp(const AffineMap& map, float* out) const;

 private:
  Index height_, width_;
  std::vector<float> values_;
};

}  // namespace lora::datasets
