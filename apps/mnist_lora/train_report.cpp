#include "apps/mnist_lora/train_report.hpp"

#include "apps/mnist_lora/error_bars.hpp"
#include "apps/mnist_lora/learning_curves.hpp"
#include "apps/mnist_lora/report_tables.hpp"
#include "apps/mnist_lora/text.hpp"
#include "core/base/error.hpp"

namespace mnist_lora {

namespace {

std::string percent(double value) { return fixed(value, 2) + " %"; }

bool adapts(const Run& run) { return run.adapter != "none"; }

/// The frozen base as a run of its own: what the adapter's rows say of it when disabled.
Run base_of(const Run& run) {
  Run base;
  base.name = "base";
  base.train_digits = "-";
  base.parameters.total = run.parameters.total - run.parameters.added;
  for (TestRow row : run.test) {
    if (!row.enabled) {
      row.enabled = true;
      base.test.push_back(std::move(row));
    }
  }
  return base;
}

/// For tables that compare an adapter with its base.
Results with_base(const Results& results) {
  Results out = results;
  if (adapts(results.runs.front())) {
    out.runs.insert(out.runs.begin(), base_of(results.runs.front()));
  }
  return out;
}

std::string title_of(const Run& run, const TrainStory& story) {
  return (adapts(run) ? "Adapter " + run.name + " for " + story.model : story.model) + " on digits " + run.train_digits;
}

std::string best_epoch(const Run& run) {
  return run.best_epoch == 0
             ? ""
             : " The best validation accuracy, " + percent(best_val_accuracy(run)) + ", came with epoch " + std::to_string(run.best_epoch) +
                   " of " + std::to_string(run.epochs.size()) + "; the weights of the best epoch were kept.";
}

std::string summary_of(const Run& run, const TrainStory& story) {
  const std::string trained = grouped(run.parameters.trainable);
  const std::string reached = percent(test_accuracy(run, run.train_digits, true));
  if (!adapts(run)) {
    return "All " + trained + " parameters of " + story.model + " were trained on the digits " + run.train_digits +
           (story.weights.empty() ? " from scratch" : ", beginning with " + story.weights) + ". The model is right for " + reached +
           " of the test images of these digits." + best_epoch(run);
  }
  return "The weights " + story.weights + " were frozen, and a " + run.adapter + " adapter with " + trained +
         " parameters was trained on the digits " + run.train_digits + ". On test images of these digits the base is right for " +
         percent(test_accuracy(run, run.train_digits, false)) + ", with the adapter for " + reached + "." + best_epoch(run);
}

std::vector<KeyNumber> key_numbers(const Results& results, const Run& run) {
  std::vector<KeyNumber> out{{percent(test_accuracy(run, run.train_digits, true)), "on test digits " + run.train_digits}};
  if (adapts(run)) {
    out.push_back({percent(test_accuracy(run, run.train_digits, false)), "there without the adapter"});
  }
  if (!run.epochs.empty()) {
    out.push_back({percent(best_val_accuracy(run)), "best validation accuracy"});
  }
  out.push_back({grouped(run.parameters.trainable), "parameters trained"});
  out.push_back({duration(results.seconds), "for training and test"});
  return out;
}

std::vector<Figure> figures_of(const Results& results, const TrainStory& story) {
  const Run& run = results.runs.front();
  std::vector<Figure> figures;
  if (has_epochs(results)) {
    figures.push_back(learning_curves(results));
  }
  std::vector<ErrorSeries> series;
  if (const TestRow* base = find_test(run, "0-9", false); base != nullptr) {
    series.push_back({"base", *base});
  }
  if (const TestRow* row = find_test(run, "0-9", true); row != nullptr) {
    series.push_back({run.name, *row});
    figures.push_back(error_bars(series, run.train_digits == "0-9" ? "" : run.train_digits));
  }
  if (!story.grid.empty()) {
    figures.push_back(digit_grid(story.grid, run.name));
  }
  return figures;
}

}  // namespace

Report train_report(const Results& results, const TrainStory& story) {
  lora::require(results.runs.size() == 1, "report", "one run is reported, got ", results.runs.size());
  const Run& run = results.runs.front();
  const Results compared = with_base(results);
  Report report;
  report.title = title_of(run, story);
  report.summary = summary_of(run, story);
  report.key_numbers = key_numbers(results, run);
  report.results = {runs_table(compared, run.train_digits, {})};
  report.details = {errors_table(compared), cost_table(results)};
  report.settings = settings_of(results, story.settings);
  report.footnotes = {"The same command with the same seed gives the same numbers on this device, for any number of threads."};
  return report;
}

WrittenReport write_train_report(const std::filesystem::path& out, const Results& results, const TrainStory& story,
                                 const std::string& gnuplot) {
  return write_report(out, train_report(results, story), figures_of(results, story), gnuplot);
}

}  // namespace mnist_lora
