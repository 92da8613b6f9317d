#pragma once
// Figures by gnuplot: every figure of a run, as SVG and PNG, by one gnuplot process.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace mnist_lora {

/// What to draw. `script` draws on any terminal and is run once for each; it begins from gnuplot's defaults and the common style.
struct Figure {
  std::string name;      ///< file name without its extension
  std::string title;     ///< drawn above, bold; also what a screen reader says
  std::string subtitle;  ///< drawn below the title, small
  std::string caption;   ///< for the report
  int width = 900;       ///< pixels, as are all measures below
  int height = 430;
  std::string data;  ///< data blocks: `$name << EOD` and so on
  std::string script;
};

/// Whether `program` is an executable file, by its path or on PATH.
bool gnuplot_available(const std::string& program = "gnuplot");

/// Writes FOLDER/NAME.svg and FOLDER/NAME.png for each figure and gives back the SVG texts in order. No other file is left.
/// @throws lora::Error if gnuplot is missing, reports an error, or a file cannot be written
std::vector<std::string> render_figures(const std::vector<Figure>& figures, const std::filesystem::path& folder,
                                        const std::string& program = "gnuplot");

/// The figures as one program for gnuplot; NAME.part.svg and NAME.part.png come out in the current folder.
std::string gnuplot_program(const std::vector<Figure>& figures);

// -- Building blocks of scripts --

/// A gnuplot string that shows `text` as it is: nothing in it is run, substituted or interpreted. A line end breaks the line.
std::string quote(std::string_view text);

/// A position on the figure in pixels from its left lower corner.
std::string at_pixel(const Figure& figure, double x, double y);

/// `set lmargin ..`: the axes' box in pixels from the left lower corner.
struct Box {
  double left, bottom, right, top;
};
std::string place_axes(const Figure& figure, const Box& box);

/// One line of text. `look` is gnuplot's: `left textcolor rgb "#ff0000"`.
std::string text_at(std::string_view position, std::string_view text, std::string_view look);

/// The name of a horizontal axis, around pixel `x`, at the lower edge.
std::string axis_name(const Figure& figure, double x, std::string_view text);

}  // namespace mnist_lora
