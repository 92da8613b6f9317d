#include "apps/mnist_lora/digit_grid.hpp"

#include <algorithm>

#include "apps/mnist_lora/plot_style.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

constexpr std::size_t kOfEachDigit = 4;
constexpr int kColumns = 8;
constexpr int kSide = 28;
constexpr int kTile = 84;     // pixels of the figure for an image: three for each of its own
constexpr int kPitchX = 108;  // to the next image
constexpr int kPitchY = 160;
constexpr int kTop = 88;  // above the first image
constexpr int kLeft = 30;

struct Place {
  int x, y;  // the image's left lower corner
};

Place place_of(std::size_t i, const Figure& figure) {
  const int column = static_cast<int>(i) % kColumns;
  const int row = static_cast<int>(i) / kColumns;
  return {kLeft + column * kPitchX, figure.height - kTop - row * kPitchY - kTile};
}

std::string pixel_block(std::size_t i, const GridDigit& digit) {
  const std::string name = "$digit" + std::to_string(i);
  std::string out = name + " << END_OF_DIGIT\n";
  for (int row = kSide - 1; row >= 0; --row) {  // a matrix is drawn from the bottom
    for (int column = 0; column < kSide; ++column) {
      out += std::to_string(255 - digit.pixels[static_cast<std::size_t>(row * kSide + column)]);
      out += column + 1 < kSide ? ' ' : '\n';
    }
  }
  return out + "END_OF_DIGIT\n";
}

std::string verdict(const Figure& figure, const Place& at, const std::string& who, bool right) {
  return text_at(at_pixel(figure, at.x, at.y), who + (right ? " \u2713" : " \u2717"),
                 "left " + kSmallFont + " textcolor rgb " + (right ? kGreen : kOrange));
}

std::string labels(const Figure& figure, const Place& at, const GridDigit& digit) {
  const std::string truth = "true " + std::to_string(digit.label);
  return text_at(at_pixel(figure, at.x, at.y + kTile + 11), truth, "left " + kSmallFont + " textcolor rgb " + kMuted) +
         verdict(figure, {at.x, at.y - 14}, "base " + std::to_string(digit.base), digit.base == digit.label) +
         verdict(figure, {at.x, at.y - 32}, "adapted " + std::to_string(digit.adapted), digit.adapted == digit.label);
}

std::string frame(const Figure& figure, const Place& at) {
  return "set object rectangle from " + at_pixel(figure, at.x - 1, at.y - 1) + " to " +
         at_pixel(figure, at.x + kTile + 1, at.y + kTile + 1) + " front fs empty border lc rgb " + kLine + " lw 1\n";
}

std::string one_image(std::size_t i, const Place& at) {
  const std::string shift = std::to_string(at.x) + "+1.5+3*$1):(" + std::to_string(at.y) + "+1.5+3*$2)";
  return "$digit" + std::to_string(i) + " matrix using (" + shift + ":3:3:3 with rgbimage";
}

void copy_pixels(const ImagePart& images, std::size_t position, GridDigit& digit) {
  const std::vector<std::uint8_t>& all = images.images->images.values;
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(digit.pixels.size()) * images.indices[position];
  std::copy(first, first + static_cast<std::ptrdiff_t>(digit.pixels.size()), digit.pixels.begin());
}

}  // namespace

std::vector<GridDigit> first_digits(const ImagePart& images, const std::vector<lora::Index>& base,
                                    const std::vector<lora::Index>& adapted) {
  std::vector<GridDigit> digits;
  for (int label = 0; label <= 9; ++label) {
    std::vector<std::size_t> positions = images.positions_of(label);
    positions.resize(std::min(positions.size(), kOfEachDigit));
    for (const std::size_t at : positions) {
      GridDigit& digit = digits.emplace_back();
      copy_pixels(images, at, digit);
      digit.label = label;
      digit.base = static_cast<int>(base[at]);
      digit.adapted = static_cast<int>(adapted[at]);
    }
  }
  return digits;
}

Figure digit_grid(const std::vector<GridDigit>& digits, const std::string& adapted_name) {
  const int rows = (static_cast<int>(digits.size()) + kColumns - 1) / kColumns;
  Figure figure{"digits",
                "Test images before and after tuning",
                "Prediction of the base and of " + adapted_name + " below each image: \u2713 right, \u2717 wrong",
                "",
                900,
                0,
                "",
                ""};
  figure.height = kTop + rows * kPitchY - 24;
  figure.caption = "Test images with the predictions of the base and of " + adapted_name + ".";
  std::string plots;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const Place at = place_of(i, figure);
    figure.data += pixel_block(i, digits[i]);
    figure.script += labels(figure, at, digits[i]) + frame(figure, at);
    plots += (i == 0 ? "plot " : ", ") + one_image(i, at);
  }
  figure.script += place_axes(figure, {0, 0, static_cast<double>(figure.width), static_cast<double>(figure.height)});
  figure.script += "unset border\nunset tics\nunset grid\nset xrange [0:" + std::to_string(figure.width) +
                   "]\nset yrange [0:" + std::to_string(figure.height) + "]\n" + plots + '\n';
  return figure;
}

}  // namespace mnist_lora
