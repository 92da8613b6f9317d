#pragma once
// report.html: one self-contained page from text, tables and figures.

#include <string>
#include <utility>
#include <vector>

namespace mnist_lora {

struct Cell {
  std::string text;
  bool strong = false;  ///< the best of its column
};

/// Columns after `text_columns` are numbers: right-aligned.
struct ReportTable {
  std::string caption;
  std::vector<std::string> header;
  std::vector<std::vector<Cell>> rows;  ///< as long as the header; the first cell names the row
  std::size_t text_columns = 1;
  std::string note;  ///< below the table; may be empty
};

struct ReportFigure {
  std::string name;  ///< unique in the page, letters, digits, - and _
  std::string caption;
  std::string svg;  ///< as render_figures gives it
};

/// A number worth a card at the top: value `98.5 %`, label `on digits 5-9 with rank 64`.
struct KeyNumber {
  std::string value;
  std::string label;
};

/// Everything is plain text and is escaped.
struct Report {
  std::string title;
  std::string summary;
  std::vector<KeyNumber> key_numbers;
  std::vector<std::string> notices;  ///< what the reader must know first, as that there are no figures
  std::vector<ReportTable> results;  ///< tables that come before the figures
  std::vector<ReportFigure> figures;
  std::vector<ReportTable> details;  ///< tables that come after them
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<std::string> footnotes;
};

/// A report within a page of several.
struct ReportSection {
  std::string id;  ///< unique in the page: letters, digits, - and _
  Report report;
};

/// The page, as UTF-8: the report, then each section with a link to it above. No script and nothing loaded from elsewhere.
std::string report_page(const Report& report, const std::vector<ReportSection>& sections = {});

}  // namespace mnist_lora
