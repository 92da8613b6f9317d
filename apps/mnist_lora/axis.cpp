#include "apps/mnist_lora/axis.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

std::string y_range(double low, double high) { return "set yrange [" + exact(low) + ':' + exact(high) + "]\n"; }

/// Rounded to a 12th digit, so that 5 * 10^-3 prints as 0.005.
double tidy(double value) {
  const double scale = std::pow(10.0, 12 - std::ceil(std::log10(value)));
  return std::round(value * scale) / scale;
}

}  // namespace

Range range_of(const std::vector<double>& values) {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const double value : values) {
    if (std::isfinite(value)) {
      range = {std::min(range.low, value), std::max(range.high, value)};
    }
  }
  return range.low <= range.high ? range : Range{};
}

std::string percent_axis(const Range& values) {
  const double air = std::max(0.14 * (values.high - values.low), 0.25);
  const double low = std::max(values.low - air, -1.0);
  const double high = std::min(values.high + air, 100 + 0.6 * air);
  const double step = tidy_step((high - low) / 6);
  return y_range(low, high) + "set ytics " + exact(std::ceil(low / step) * step) + ',' + exact(step) + ',' + exact(std::min(high, 100.0)) +
         '\n';
}

std::string log_axis(const Range& values) {
  if (!(values.low > 0)) {
    return y_range(values.low, values.high > values.low ? values.high : values.low + 1);
  }
  const double low = values.low / 1.25;
  const double high = values.high * 1.25;
  const std::vector<double> steps = high / low > 200 ? std::vector<double>{1.0} : std::vector<double>{1.0, 2.0, 5.0};
  std::string tics;
  for (int power = static_cast<int>(std::floor(std::log10(low))); power <= static_cast<int>(std::ceil(std::log10(high))); ++power) {
    for (const double step : steps) {
      const double value = tidy(step * std::pow(10.0, power));
      if (value >= low && value <= high) {
        tics += (tics.empty() ? "" : ", ") + quote(short_number(value)) + ' ' + exact(value);
      }
    }
  }
  return y_range(low, high) + "set logscale y 10\nset ytics (" + tics + ")\n";
}

double tidy_step(double step) {
  const double power = std::pow(10.0, std::floor(std::log10(step)));
  const double lead = step / power;
  return tidy(power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10));
}

}  // namespace mnist_lora
