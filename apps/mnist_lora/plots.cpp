#include "apps/mnist_lora/plots.hpp"

#include <unistd.h>

#include <cstdlib>

#include "apps/mnist_lora/plot_style.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

std::string size_of(int width, int height) { return " size " + std::to_string(width) + ',' + std::to_string(height); }

std::string title_lines(const Figure& figure) {
  const std::string x = "screen " + exact(16.0 / figure.width) + ", screen ";
  return text_at(x + exact(1 - 24.0 / figure.height), figure.title, kTitleLook) +
         text_at(x + exact(1 - 46.0 / figure.height), figure.subtitle, kSubtitleLook);
}

std::string drawing(const Figure& figure, const std::string& terminal, const std::string& extension) {
  return "reset\nset terminal " + terminal + " noenhanced font " + kFont + " background rgb " + kCard + "\nset output " +
         quote(figure.name + ".part" + extension) + '\n' + kCommonStyle + title_lines(figure) + figure.script + "unset output\n";
}

}  // namespace

bool gnuplot_available(const std::string& program) {
  const auto executable = [](const std::filesystem::path& file) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(file, ignored) && access(file.c_str(), X_OK) == 0;
  };
  if (program.find('/') != std::string::npos) {
    return executable(program);
  }
  const char* variable = std::getenv("PATH");
  std::string_view folders = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (!folders.empty()) {
    const std::size_t colon = folders.find(':');
    if (executable(std::filesystem::path(folders.substr(0, colon)) / program)) {
      return true;
    }
    folders = colon == std::string_view::npos ? std::string_view() : folders.substr(colon + 1);
  }
  return false;
}

std::string gnuplot_program(const std::vector<Figure>& figures) {
  std::string out = "set encoding utf8\n";
  for (const Figure& figure : figures) {
    out += figure.data;
    out += drawing(figure, "svg fixed standalone" + size_of(figure.width, figure.height), ".svg");
    // Twice the size; fonts in SVG are in pixels, those in PNG in points of 4/3 pixels.
    out += drawing(figure, "pngcairo fontscale 1.5 linewidth 2 pointscale 2" + size_of(2 * figure.width, 2 * figure.height), ".png");
  }
  return out;
}

std::string quote(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\n') {
      out += "'.\"\\n\".'";  // the one thing that single quotes cannot say
    } else if (c == '\'') {
      out += "''";
    } else {
      out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return out + '\'';
}

std::string at_pixel(const Figure& figure, double x, double y) {
  return "screen " + exact(x / figure.width) + ", screen " + exact(y / figure.height);
}

std::string place_axes(const Figure& figure, const Box& box) {
  return "set lmargin at screen " + exact(box.left / figure.width) + "\nset rmargin at screen " + exact(box.right / figure.width) +
         "\nset bmargin at screen " + exact(box.bottom / figure.height) + "\nset tmargin at screen " + exact(box.top / figure.height) +
         '\n';
}

std::string text_at(std::string_view position, std::string_view text, std::string_view look) {
  std::string out = "set label " + quote(text) + " at ";
  return out.append(position).append(" ").append(look).append("\n");
}

std::string axis_name(const Figure& figure, double x, std::string_view text) {
  return text_at(at_pixel(figure, x, 16), text, "center textcolor rgb " + kMuted);
}

}  // namespace mnist_lora
