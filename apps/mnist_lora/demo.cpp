#include "apps/mnist_lora/demo.hpp"

#include <algorithm>
#include <iostream>
#include <iterator>
#include <vector>

#include "apps/mnist_lora/compare.hpp"
#include "apps/mnist_lora/console.hpp"
#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/digits.hpp"
#include "apps/mnist_lora/finetune.hpp"
#include "apps/mnist_lora/finished.hpp"
#include "apps/mnist_lora/interrupt.hpp"
#include "apps/mnist_lora/report_tables.hpp"
#include "apps/mnist_lora/text.hpp"
#include "apps/mnist_lora/workspace.hpp"
#include "core/base/file.hpp"

namespace mnist_lora {

namespace {

/// An experiment's own defaults, with what was given in their place.
CommonOptions sized(const DemoOptions& options, CommonOptions own) {
  CommonOptions common = options.common;
  common.epochs = options.epochs.value_or(own.epochs);
  common.patience = options.patience.value_or(own.patience);
  common.limit = options.limit.value_or(own.limit);
  return common;
}

template <class Options>
Options options_of(const DemoOptions& demo, std::int64_t limit) {
  Options options;
  options.common.limit = limit;
  options.common = sized(demo, options.common);
  options.command_line = demo.command_line;
  return options;
}

/// Tuned on the digits alone, and with a part of the others kept.
FinetuneOptions finetune_options(const DemoOptions& demo) {
  auto options = options_of<FinetuneOptions>(demo, kDemoLimit);
  options.keep_others = {0, 0.1};
  options.tune_epochs = std::min(options.tune_epochs, options.common.epochs);
  return options;
}

struct Row {
  const char* name;  ///< of the command, and of the folder
  FinishedExperiment (*run)(const DemoOptions& options);
};

constexpr Row kExperiments[] = {
    {"digits", [](const DemoOptions& o) { return digits_experiment(options_of<DigitsOptions>(o, 0)); }},
    {"compare", [](const DemoOptions& o) { return compare_experiment(options_of<CompareOptions>(o, kDemoLimit)); }},
    {"finetune", [](const DemoOptions& o) { return finetune_experiment(finetune_options(o)); }},
};

/// Those that were not begun start now, the others are resumed.
DemoOptions options_in(const DemoOptions& options, const Row& row) {
  DemoOptions own = options;
  own.common.out = options.common.out / row.name;
  own.common.resume = options.common.resume && has_progress(own.common.out);
  return own;
}

void forget_all(const std::filesystem::path& out) {
  for (const Row& row : kExperiments) {
    forget_progress(out / row.name);
  }
}

void prepare(const CommonOptions& options) {
  if (!options.resume) {
    forget_all(options.out);
    return;
  }
  const bool begun =
      std::any_of(std::begin(kExperiments), std::end(kExperiments), [&](const Row& row) { return has_progress(options.out / row.name); });
  lora::require(begun, "resume", "there is no unfinished experiment in ", options.out.string(), "; start one without --resume");
}

void add_to(Results& all, const Results& one) {
  for (Run run : one.runs) {
    run.name = one.command + '/' + run.name;
    all.runs.push_back(std::move(run));
  }
  all.seconds += one.seconds;
  all.peak_bytes = std::max(all.peak_bytes, one.peak_bytes);
}

std::string limits_of(const DemoOptions& options) {
  return options.limit ? (*options.limit > 0 ? "every experiment trains on the first " + grouped(*options.limit) + " images"
                                             : std::string("every experiment trains on all images"))
                       : "the convolutional networks train on the first " + grouped(kDemoLimit) +
                             " images only, the perceptron on all; their own commands use all";
}

Report report_of(const DemoOptions& options, const Results& all) {
  Report report;
  report.title = "Experiments with adapters";
  report.summary = "Each experiment has a section of its own. So that they take minutes, " + limits_of(options) + ".";
  report.key_numbers = {{std::to_string(std::size(kExperiments)), "experiments"},
                        {std::to_string(all.runs.size()), "runs trained and tested"},
                        {duration(all.seconds), "for all of them"},
                        {bytes(all.peak_bytes), "memory at most"}};
  report.footnotes = {"The same command with the same seed gives the same numbers on this device, for any number of threads."};
  return report;
}

/// What every section's own footnote says stands at the foot of the page.
ReportSection section_of(const Row& row, const FinishedExperiment& finished, const Report& whole) {
  ReportSection section{row.name, finished.report.report};
  std::vector<std::string>& notes = section.report.footnotes;
  notes.erase(std::remove(notes.begin(), notes.end(), whole.footnotes.front()), notes.end());
  return section;
}

void say(const CommonOptions& options, const Results& all, const std::vector<FinishedExperiment>& finished) {
  if (options.json) {
    std::cout << to_text(all);
  } else if (!options.quiet) {
    for (const FinishedExperiment& one : finished) {
      std::cout << one.results.command << '\n';
      print_summary(std::cout, one.results, one.tuned, use_colour(stdout));
      std::cout << '\n';
    }
    std::cout << "Report: " << (options.out / "report.html").string() << '\n';
  }
  if (const std::string& notice = finished.front().report.notice; !notice.empty()) {
    std::cerr << notice << '\n';
  }
}

}  // namespace

void run_demo(const DemoOptions& options) {
  const InterruptGuard guard;
  apply_device(options.common);
  prepare(options.common);
  Results all = describe_results("demo", options.common);
  std::vector<FinishedExperiment> finished;
  for (const Row& row : kExperiments) {
    if (!options.common.quiet) {
      std::cerr << "Experiment " << finished.size() + 1 << " of " << std::size(kExperiments) << ": " << row.name << '\n';
    }
    finished.push_back(row.run(options_in(options, row)));
    add_to(all, finished.back().results);
  }
  const Report report = report_of(options, all);
  std::vector<ReportSection> sections;
  for (std::size_t i = 0; i < finished.size(); ++i) {
    sections.push_back(section_of(kExperiments[i], finished[i], report));
  }
  write_results(options.common.out / "results.json", all);
  lora::write_file_atomically(options.common.out / "report.html", report_page(report, sections));
  forget_all(options.common.out);
  say(options.common, all, finished);
}

}  // namespace mnist_lora
