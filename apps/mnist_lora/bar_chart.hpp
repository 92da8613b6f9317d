#pragma once
// Figures of horizontal bars.

#include <string>
#include <vector>

#include "apps/mnist_lora/plots.hpp"
#include "apps/mnist_lora/results.hpp"

namespace mnist_lora {

struct Bar {
  std::string name;    ///< at its left
  double value = 0;    ///< not finite: no bar
  std::string label;   ///< at its end
  std::string colour;  ///< quoted for gnuplot
};

/// Bars below each other, the first on top, on an axis of their own.
struct BarPanel {
  std::string title;
  double from = 0;  ///< where the bars begin
  double to = 1;    ///< the end of the axis, with room for labels
  double last = 1;  ///< no tics after this
  std::vector<Bar> bars;
};

/// Panels side by side with the same names, which stand at the left alone. Fills in all but name, title, subtitle and caption.
void draw_bars(Figure& figure, const std::vector<BarPanel>& panels);

/// The colours of runs in bars and curves alike: grey for a base, a hue for each of the others.
std::vector<std::string> run_colours(const Results& results);

}  // namespace mnist_lora
