#include "apps/mnist_lora/text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace mnist_lora {

namespace {

std::string two_digits(std::int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

}  // namespace

std::string fixed(double value, int decimals) {
  if (!std::isfinite(value)) {
    return "-";
  }
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::fixed << std::setprecision(decimals) << value;
  return std::move(out).str();
}

std::string exact(double value) {
  if (!std::isfinite(value)) {
    return "NaN";
  }
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  return std::string(buffer.data(), end);
}

std::string short_number(double value) {
  if (!std::isfinite(value)) {
    return "-";
  }
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << std::setprecision(3) << value;
  return std::move(out).str();
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) {
    return "-";
  }
  if (seconds < 0.9995) {
    return fixed(seconds * 1e3, seconds < 0.0995 ? 1 : 0) + " ms";
  }
  if (seconds < 59.95) {
    return fixed(seconds, 1) + " s";
  }
  const std::int64_t whole = std::llround(seconds);
  if (whole < 3600) {
    return std::to_string(whole / 60) + " min " + two_digits(whole % 60) + " s";
  }
  return std::to_string(whole / 3600) + " h " + two_digits(whole % 3600 / 60) + " min";
}

std::string bytes(std::uint64_t count) {
  constexpr std::array<const char*, 5> kUnits{" B", " KiB", " MiB", " GiB", " TiB"};
  double value = static_cast<double>(count);
  std::size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit) {
    value /= 1024;
  }
  return fixed(value, unit == 0 ? 0 : 1) + kUnits[unit];
}

std::size_t display_width(std::string_view utf8) {
  std::size_t width = 0;
  for (const char c : utf8) {
    width += (static_cast<unsigned char>(c) & 0xC0u) != 0x80u ? 1u : 0u;
  }
  return width;
}

}  // namespace mnist_lora
