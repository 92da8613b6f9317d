#include "apps/mnist_lora/bar_chart.hpp"

#include <algorithm>
#include <cmath>

#include "apps/mnist_lora/axis.hpp"
#include "apps/mnist_lora/plot_style.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

constexpr double kRow = 38;  // pixels of a bar with the gap around it

std::string block(std::size_t panel, std::size_t bar) { return "$bar" + std::to_string(panel) + '_' + std::to_string(bar); }

/// Each bar in a block of its own: its place, its value.
std::string bar_data(const std::vector<BarPanel>& panels) {
  std::string out;
  for (std::size_t p = 0; p < panels.size(); ++p) {
    for (std::size_t i = 0; i < panels[p].bars.size(); ++i) {
      out += block(p, i) + " << END_OF_BAR\n" + std::to_string(i) + ' ' + exact(panels[p].bars[i].value) + "\nEND_OF_BAR\n";
    }
  }
  return out;
}

std::string name_axis(const std::vector<Bar>& bars, bool shown) {
  std::string tics;
  for (std::size_t i = 0; i < bars.size(); ++i) {
    tics += (i == 0 ? "" : ", ") + quote(shown ? bars[i].name : "") + ' ' + std::to_string(i);
  }
  return "set yrange [" + exact(static_cast<double>(bars.size()) - 0.4) + ":-0.6]\nset ytics (" + tics + ") scale 0 textcolor rgb " + kInk +
         '\n';
}

std::string bars_of(const std::vector<BarPanel>& panels, std::size_t p) {
  std::string out = "plot ";
  for (std::size_t i = 0; i < panels[p].bars.size(); ++i) {
    const Bar& bar = panels[p].bars[i];
    out += (i == 0 ? "" : ", ") + block(p, i) + " using 2:1:(" + exact(panels[p].from) +
           "):2:($1-0.34):($1+0.34) with boxxyerror fs solid noborder lc rgb " + bar.colour + ", " + block(p, i) + " using 2:1:(" +
           quote(bar.label) + ") with labels left offset 0.5,0 " + kSmallFont + " textcolor rgb " + kInk;
  }
  return out + '\n';
}

std::string value_axis(const BarPanel& panel) {
  const double step = tidy_step((panel.to - panel.from) / 6);
  return "set xrange [" + exact(panel.from) + ':' + exact(panel.to) + "]\nset xtics " + exact(panel.from) + ',' + exact(step) + ',' +
         exact(panel.last) + '\n';
}

std::size_t longest_name(const std::vector<Bar>& bars) {
  std::size_t width = 0;
  for (const Bar& bar : bars) {
    width = std::max(width, display_width(bar.name));
  }
  return width;
}

}  // namespace

void draw_bars(Figure& figure, const std::vector<BarPanel>& panels) {
  const std::vector<Bar>& first = panels.front().bars;
  const double left = 24 + 9.0 * static_cast<double>(longest_name(first));
  const double gap = 28;
  const double width = (880 - left - gap * static_cast<double>(panels.size() - 1)) / static_cast<double>(panels.size());
  const double high = kRow * static_cast<double>(first.size()) + 10;
  const bool titles = !panels.front().title.empty();
  figure.width = 900;
  figure.height = static_cast<int>(high) + (titles ? 142 : 116);
  figure.data = bar_data(panels);
  figure.script = "set multiplot\nset border 3\nset grid noytics xtics\n";
  for (std::size_t p = 0; p < panels.size(); ++p) {
    const double from = left + static_cast<double>(p) * (width + gap);
    figure.script += place_axes(figure, {from, 44, from + width, 44 + high}) +
                     text_at(at_pixel(figure, from, 44 + high + 16), panels[p].title, kPanelLook) + name_axis(panels[p].bars, p == 0) +
                     value_axis(panels[p]) + bars_of(panels, p) + "unset label\n";
  }
  figure.script += "unset multiplot\n";
}

std::vector<std::string> run_colours(const Results& results) {
  std::vector<std::string> colours;
  std::size_t hue = 0;
  for (const Run& run : results.runs) {
    colours.push_back(run.adapter == "none" ? kGrey : series_colour(hue++));
  }
  return colours;
}

}  // namespace mnist_lora
