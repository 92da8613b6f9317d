#include "apps/mnist_lora/plot_style.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace mnist_lora {

std::string series_colour(std::size_t index) {
  constexpr std::array<const char*, 6> kHues{"'#d55e00'", "'#009e73'", "'#cc79a7'", "'#0072b2'", "'#e69f00'", "'#56b4e9'"};
  return kHues[index % kHues.size()];
}

std::string sequential_colour(double position) {
  using Rgb = std::array<double, 3>;
  constexpr std::array<Rgb, 4> kStops{{{0x9c, 0xcb, 0xe6}, {0x4a, 0x9b, 0xd1}, {0x12, 0x61, 0xa6}, {0x0b, 0x22, 0x55}}};
  const double place = std::clamp(position, 0.0, 1.0) * (kStops.size() - 1);
  const auto stop = std::min(static_cast<std::size_t>(place), kStops.size() - 2);
  std::string out = "'#";
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const double value = std::lerp(kStops[stop][channel], kStops[stop + 1][channel], place - static_cast<double>(stop));
    const auto code = static_cast<std::size_t>(std::lround(value));
    out += "0123456789abcdef"[code / 16];
    out += "0123456789abcdef"[code % 16];
  }
  return out + '\'';
}

}  // namespace mnist_lora
