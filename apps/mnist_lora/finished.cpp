#include "apps/mnist_lora/finished.hpp"

#include <iostream>

#include "apps/mnist_lora/console.hpp"
#include "apps/mnist_lora/workspace.hpp"

namespace mnist_lora {

void say_finished(const CommonOptions& options, const FinishedExperiment& finished, const std::string& more) {
  forget_progress(options.out);
  if (options.json) {
    std::cout << to_text(finished.results);
  } else if (!options.quiet) {
    print_summary(std::cout, finished.results, finished.tuned, use_colour(stdout));
    std::cout << more << "Report: " << (options.out / "report.html").string() << '\n';
  }
  if (!finished.report.notice.empty()) {
    std::cerr << finished.report.notice << '\n';
  }
}

}  // namespace mnist_lora
