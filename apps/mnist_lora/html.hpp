#pragma once
// Text and SVG made fit for an HTML page.

#include <string>
#include <string_view>

namespace mnist_lora {

/// For element contents and quoted attributes: & < > " ' are written as entities, control characters dropped.
std::string escape_html(std::string_view text);

/// gnuplot's SVG with the title given instead of its own tooltips, marked as an image, and with fallback fonts.
std::string clean_svg(std::string_view svg, std::string_view title);

/// An SVG file as an element of a page: no XML declaration, and `prefix` before every id and every reference to one, so that several
/// fit in one page.
std::string inline_svg(std::string_view svg, std::string_view prefix);

}  // namespace mnist_lora
