#pragma once
// The look that all figures share: a light card, muted lines, colours that colour-blind readers can tell apart.

#include <string>

namespace mnist_lora {

// Colours, quoted for gnuplot. Hues are Okabe and Ito's.
inline const std::string kCard = "'#fcfcfb'";
inline const std::string kInk = "'#1f2933'";
inline const std::string kMuted = "'#5b6470'";
inline const std::string kLine = "'#b4bac3'";
inline const std::string kGrid = "'#e6e8eb'";
inline const std::string kGrey = "'#8b94a1'";
inline const std::string kBlue = "'#0072b2'";
inline const std::string kOrange = "'#d55e00'";
inline const std::string kGreen = "'#00795a'";
inline const std::string kShade = "'#eaf2f9'";

// Sizes are pixels of the SVG.
inline const std::string kFont = "'DejaVu Sans,14'";
inline const std::string kTitleLook = "left font 'DejaVu Sans:Bold,18' textcolor rgb " + kInk;
inline const std::string kSubtitleLook = "left font 'DejaVu Sans,13.5' textcolor rgb " + kMuted;
inline const std::string kSmallFont = "font 'DejaVu Sans,12.5'";
inline const std::string kPanelLook = "left font 'DejaVu Sans:Bold,14' textcolor rgb " + kInk;

/// Bottom and left axis only, horizontal grid lines behind the data, quiet tics.
inline const std::string kCommonStyle = "set border 3 lw 1 lc rgb " + kLine + "\nset tics nomirror out scale 0.4 textcolor rgb " + kMuted +
                                        "\nset grid ytics noxtics back lt 1 lw 1 lc rgb " + kGrid +
                                        "\nset key noautotitle noenhanced textcolor rgb " + kInk +
                                        " samplen 1.6 spacing 1.25\nset datafile missing 'NaN'\nset format '%g'\n";

/// A hue for each of several series, over again after six.
std::string series_colour(std::size_t index);

/// From light (0) to dark blue (1), for series in an order such as the rank.
std::string sequential_colour(double position);

}  // namespace mnist_lora
