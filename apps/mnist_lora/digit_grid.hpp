#pragma once
// A figure of test images with what the base and the adapted model take them for.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/plots.hpp"

namespace mnist_lora {

struct GridDigit {
  std::array<std::uint8_t, 28 * 28> pixels{};  ///< rows from the top; 0 is background, 255 ink
  int label = 0;
  int base = 0;     ///< the base's prediction
  int adapted = 0;  ///< the adapted model's
};

/// The first four images of each digit.
/// @param base, adapted  predictions for each of the images
std::vector<GridDigit> first_digits(const ImagePart& images, const std::vector<lora::Index>& base, const std::vector<lora::Index>& adapted);

/// Eight to a row; right predictions green with a tick, wrong ones red with a cross.
Figure digit_grid(const std::vector<GridDigit>& digits, const std::string& adapted_name);

}  // namespace mnist_lora
