#include "apps/mnist_lora/write_report.hpp"

#include "core/base/error.hpp"
#include "core/base/file.hpp"

namespace mnist_lora {

std::string write_report(const std::filesystem::path& out, Report report, const std::vector<Figure>& figures, const std::string& gnuplot) {
  std::string notice;
  try {
    const std::vector<std::string> svgs = render_figures(figures, out / "plots", gnuplot);
    for (std::size_t i = 0; i < figures.size(); ++i) {
      report.figures.push_back({figures[i].name, figures[i].caption, svgs[i]});
    }
  } catch (const lora::Error& error) {
    notice = std::string("No figures: ") + error.what();
    report.notices.push_back(notice);
  }
  lora::write_file_atomically(out / "report.html", report_page(report));
  return notice;
}

}  // namespace mnist_lora
