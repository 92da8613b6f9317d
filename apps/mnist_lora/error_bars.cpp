#include "apps/mnist_lora/error_bars.hpp"

#include <algorithm>

#include "apps/mnist_lora/plot_style.hpp"
#include "apps/mnist_lora/text.hpp"
#include "datasets/digits.hpp"

namespace mnist_lora {

namespace {

std::string error_data(const std::vector<ErrorSeries>& series) {
  std::string out = "$errors << END_OF_ERRORS\n";
  for (std::size_t digit = 0; digit < 10; ++digit) {
    out += std::to_string(digit);
    for (const ErrorSeries& one : series) {
      out += ' ' + std::to_string(one.row.errors_per_digit[digit]);
    }
    out += '\n';
  }
  return out + "END_OF_ERRORS\n";
}

std::string shade(const std::string& digits_shaded) {
  if (digits_shaded.empty()) {
    return "";
  }
  std::string out;
  const auto digits = lora::datasets::DigitSet::parse(digits_shaded);
  for (int d = 0; d <= 9; ++d) {
    if (!digits.contains(d)) {
      continue;
    }
    out += "set object rectangle from " + exact(d - 0.5) + ", graph 0 to " + exact(d + 0.5) +
           ", graph 1 behind fs solid 1 noborder fc rgb " + kShade + '\n';
  }
  return out;
}

std::string bars(const std::string& column, const std::string& shift, const std::string& colour, const std::string& title) {
  const std::string place = "$errors using ($1" + shift + "):" + column;
  return place + " with boxes fs solid 1 noborder lc rgb " + colour + " title " + quote(title) + ", " + place + ":(sprintf('%d', $" +
         column + ")) with labels offset 0,0.6 " + kSmallFont + " textcolor rgb " + kMuted;
}

double most(const std::vector<ErrorSeries>& series) {
  std::int64_t most = 0;
  for (const ErrorSeries& one : series) {
    most = std::max(most, *std::max_element(one.row.errors_per_digit.begin(), one.row.errors_per_digit.end()));
  }
  return static_cast<double>(most);
}

}  // namespace

Figure error_bars(const std::vector<ErrorSeries>& series, const std::string& shaded) {
  Figure figure{"errors_by_digit", "Errors by digit", "Wrong test images", "Wrong test images of each digit.", 900, 400, "", ""};
  if (!shaded.empty()) {
    figure.subtitle += "; shaded: the digits " + shaded + " that were trained";
    figure.caption = "Wrong test images of each digit. The digits that were trained are shaded.";
  }
  figure.data = error_data(series);
  const bool pair = series.size() > 1;
  std::string plots;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const bool last = i + 1 == series.size();
    plots += (i == 0 ? "" : ", ") + bars(std::to_string(i + 2),
                                         !pair  ? "+0"
                                         : last ? "+0.2"
                                                : "-0.2",
                                         last ? kBlue : kGrey, series[i].title);
  }
  figure.script = place_axes(figure, {64, 64, 880, 320}) + axis_name(figure, 472, "Digit") + shade(shaded) +
                  "set xrange [-0.5:9.5]\nset yrange [0:" + exact(std::max(1.15 * most(series), 5.0)) +
                  "]\nset xtics 1 scale 0\nset boxwidth " + (pair ? "0.36" : "0.5") + "\nset key at " + at_pixel(figure, 884, 374) +
                  " right top horizontal\nplot " + plots + '\n';
  return figure;
}

}  // namespace mnist_lora
