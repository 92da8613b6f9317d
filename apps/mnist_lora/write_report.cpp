#include "apps/mnist_lora/write_report.hpp"

#include <utility>

#include "core/base/error.hpp"
#include "core/base/file.hpp"

namespace mnist_lora {

WrittenReport write_report(const std::filesystem::path& out, Report report, const std::vector<Figure>& figures,
                           const std::string& gnuplot) {
  WrittenReport written{std::move(report), ""};
  try {
    const std::vector<std::string> svgs = render_figures(figures, out / "plots", gnuplot);
    for (std::size_t i = 0; i < figures.size(); ++i) {
      written.report.figures.push_back({figures[i].name, figures[i].caption, svgs[i]});
    }
  } catch (const lora::Error& error) {
    written.notice = std::string("No figures: ") + error.what();
    written.report.notices.push_back(written.notice);
  }
  lora::write_file_atomically(out / "report.html", report_page(written.report));
  return written;
}

}  // namespace mnist_lora
