#include "apps/mnist_lora/report.hpp"

#include "apps/mnist_lora/html.hpp"
#include "apps/mnist_lora/report_style.hpp"

namespace mnist_lora {

namespace {

std::string element(const std::string& tag, const std::string& attributes, const std::string& inner) {
  return '<' + tag + (attributes.empty() ? "" : " ") + attributes + '>' + inner + "</" + tag + ">\n";
}

std::string text_element(const std::string& tag, const std::string& attributes, const std::string& text) {
  return element(tag, attributes, escape_html(text));
}

std::string head(const std::string& title) {
  return "<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
         text_element("title", "", title) + "<style>" + kReportStyle + "</style>\n</head>\n";
}

std::string cards(const std::vector<KeyNumber>& numbers) {
  std::string items;
  for (const KeyNumber& number : numbers) {
    items += element("li", "", text_element("strong", "", number.value) + text_element("span", "", number.label));
  }
  return numbers.empty() ? "" : element("ul", "class=\"cards\" aria-label=\"Key numbers\"", items);
}

std::string figure_element(const ReportFigure& figure) {
  const std::string label = "class=\"plot\" role=\"group\" tabindex=\"0\" aria-label=\"" + escape_html(figure.caption) + '"';
  return element("figure", "id=\"" + escape_html(figure.name) + '"',
                 element("div", label, inline_svg(figure.svg, figure.name + "-")) + text_element("figcaption", "", figure.caption));
}

std::string header_row(const ReportTable& table) {
  std::string cells;
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    cells += text_element("th", i < table.text_columns ? "scope=\"col\"" : "scope=\"col\" class=\"number\"", table.header[i]);
  }
  return element("thead", "", element("tr", "", cells));
}

std::string body_row(const ReportTable& table, const std::vector<Cell>& row) {
  std::string cells;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string text = escape_html(row[i].text);
    const std::string inner = row[i].strong ? "<strong>" + text + "</strong>" : text;
    const std::string number = i < table.text_columns ? "" : "class=\"number\"";
    cells += i == 0 ? element("th", "scope=\"row\"", inner) : element("td", number, inner);
  }
  return element("tr", "", cells);
}

/// @param heading  `h2` or `h3`, here and below
std::string table_element(const ReportTable& table, const std::string& heading) {
  std::string rows;
  for (const std::vector<Cell>& row : table.rows) {
    rows += body_row(table, row);
  }
  const std::string whole = text_element("caption", "", table.caption) + header_row(table) + element("tbody", "", rows);
  const std::string scroll = "class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"" + escape_html(table.caption) + '"';
  return text_element(heading, "", table.caption) +
         element("div", "class=\"table\"",
                 element("div", scroll, element("table", "", whole)) +
                     (table.note.empty() ? "" : text_element("p", "class=\"note\"", table.note)));
}

std::string table_elements(const std::vector<ReportTable>& tables, const std::string& heading) {
  std::string out;
  for (const ReportTable& table : tables) {
    out += table_element(table, heading);
  }
  return out;
}

std::string figure_elements(const std::vector<ReportFigure>& figures, const std::string& heading) {
  std::string out = figures.empty() ? "" : text_element(heading, "", "Figures");
  for (const ReportFigure& figure : figures) {
    out += figure_element(figure);
  }
  return out;
}

std::string settings_element(const Report& report, const std::string& heading) {
  std::string rows;
  for (const auto& setting : report.settings) {
    rows += element("tr", "", text_element("th", "scope=\"row\"", setting.first) + text_element("td", "", setting.second));
  }
  const std::string table = element("table", "class=\"settings\"", element("caption", "", "Settings") + element("tbody", "", rows));
  return report.settings.empty() ? "" : text_element(heading, "", "Settings") + element("div", "class=\"scroll\"", table);
}

std::string paragraphs(const std::vector<std::string>& texts, const std::string& attributes) {
  std::string out;
  for (const std::string& text : texts) {
    out += text_element("p", attributes, text);
  }
  return out;
}

/// All between the summary and the footnotes.
std::string contents(const Report& report, const std::string& heading) {
  return cards(report.key_numbers) + paragraphs(report.notices, "class=\"notice\" role=\"note\"") +
         table_elements(report.results, heading) + figure_elements(report.figures, heading) + table_elements(report.details, heading) +
         settings_element(report, heading);
}

std::string footnotes(const Report& report, const std::string& tag) {
  return report.footnotes.empty() ? "" : element(tag, "", paragraphs(report.footnotes, tag == "footer" ? "" : "class=\"note\""));
}

/// Names are unique in the page once the section's stands before them.
std::string section_element(ReportSection section) {
  Report& report = section.report;
  for (ReportFigure& figure : report.figures) {
    figure.name = section.id + '-' + figure.name;
  }
  return element("section", "id=\"" + escape_html(section.id) + '"',
                 text_element("h2", "class=\"part\"", report.title) + text_element("p", "class=\"summary\"", report.summary) +
                     contents(report, "h3") + footnotes(report, "div"));
}

std::string links(const std::vector<ReportSection>& sections) {
  std::string items;
  for (const ReportSection& section : sections) {
    items += element("li", "", text_element("a", "href=\"#" + escape_html(section.id) + '"', section.report.title));
  }
  return sections.empty() ? "" : element("nav", "aria-label=\"Sections\"", element("ul", "", items));
}

}  // namespace

std::string report_page(const Report& report, const std::vector<ReportSection>& sections) {
  std::string inner = element("header", "", text_element("h1", "", report.title) + text_element("p", "class=\"summary\"", report.summary));
  inner += links(sections) + contents(report, "h2");
  for (const ReportSection& section : sections) {
    inner += section_element(section);
  }
  inner += footnotes(report, "footer");
  return "<!DOCTYPE html>\n<html lang=\"en\">\n" + head(report.title) + element("body", "", element("main", "", inner)) + "</html>\n";
}

}  // namespace mnist_lora
