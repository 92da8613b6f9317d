#include "apps/mnist_lora/html.hpp"

#include <array>

namespace mnist_lora {

namespace {

constexpr auto kEnd = std::string_view::npos;

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t found = text.find(from, at);
    out += text.substr(at, found == kEnd ? kEnd : found - at);
    if (found == kEnd) {
      return out;
    }
    out += to;
    at = found + from.size();
  }
}

/// Drops everything from each `open` to the next `close`.
std::string without(std::string_view text, std::string_view open, std::string_view close) {
  std::string out;
  for (std::size_t at = 0;;) {
    const std::size_t begin = text.find(open, at);
    const std::size_t end = begin == kEnd ? kEnd : text.find(close, begin);
    out += text.substr(at, end == kEnd ? kEnd : begin - at);
    if (end == kEnd) {
      return out;
    }
    at = end + close.size();
  }
}

std::string_view entity(char c) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return {};
  }
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool control = (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
    if (const std::string_view name = entity(c); !name.empty()) {
      out += name;
    } else if (!control) {
      out += c;
    }
  }
  return out;
}

std::string clean_svg(std::string_view svg, std::string_view title) {
  std::string out = without(without(svg, "<title>", "</title>"), "<desc>", "</desc>");
  const std::string fonts = "font-family=\"DejaVu Sans, Verdana, sans-serif\"";
  out = replace_all(out, "font-family=\"DejaVu Sans:Bold\"", fonts + " font-weight=\"bold\"");
  out = replace_all(out, "font-family=\"DejaVu Sans\"", fonts);
  const std::size_t root = out.find("<svg");
  if (root != std::string::npos) {
    out.insert(root + 4, " role=\"img\" aria-label=\"" + escape_html(title) + "\"");
  }
  return out;
}

std::string inline_svg(std::string_view svg, std::string_view prefix) {
  const std::size_t root = svg.find("<svg");
  std::string out(root == kEnd ? std::string_view() : svg.substr(root));
  constexpr std::array<std::string_view, 5> kNames{" id='", " id=\"", "href='#", "href=\"#", "url(#"};
  for (const std::string_view name : kNames) {
    out = replace_all(out, name, std::string(name).append(prefix));
  }
  return out;
}

}  // namespace mnist_lora
