#include "apps/mnist_lora/digits_report.hpp"

#include <cmath>

#include "apps/mnist_lora/digits_plots.hpp"
#include "apps/mnist_lora/report_tables.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

std::string percent(double value) { return fixed(value, 2) + " %"; }

/// Whether each adapter's disabled rows equal the base's, so that the page claims no more than was measured.
bool base_is_back(const Results& results) {
  const Run* base = base_run(results);
  for (const Run& run : results.runs) {
    const TestRow* off = find_test(run, "0-9", false);
    const TestRow* before = base != nullptr ? find_test(*base, "0-9", true) : nullptr;
    if (run.adapter != "none" && (off == nullptr || before == nullptr || off->errors_per_digit != before->errors_per_digit)) {
      return false;
    }
  }
  return base != nullptr;
}

std::string summary_of(const Results& results, const DigitsStory& story, const Run* best) {
  std::string text = "A model was trained on the digits " + story.base_digits +
                     " and then frozen; low-rank adapters were trained on the digits " + story.tuned + ".";
  const Run* base = base_run(results);
  if (base != nullptr && best != nullptr) {
    text += " On test images of " + story.tuned + " the base is right for " + percent(test_accuracy(*base, story.tuned, true)) + ", with " +
            best->name + " for " + percent(test_accuracy(*best, story.tuned, true)) + ", training " + grouped(best->parameters.trainable) +
            " parameters (the base has " + grouped(base->parameters.total) + ").";
  }
  return base_is_back(results) ? text + " With any of the adapters disabled, the base is back with the same errors." : text;
}

std::vector<KeyNumber> key_numbers(const Results& results, const DigitsStory& story, const Run* best) {
  std::vector<KeyNumber> out;
  if (const Run* base = base_run(results); base != nullptr) {
    out.push_back({percent(test_accuracy(*base, story.base_digits, true)), "base on its digits " + story.base_digits});
    out.push_back({percent(test_accuracy(*base, story.tuned, true)), "base on digits " + story.tuned});
  }
  if (best != nullptr) {
    out.push_back({percent(test_accuracy(*best, story.tuned, true)), best->name + " on digits " + story.tuned});
    out.push_back({grouped(best->parameters.trainable), "parameters trained by " + best->name});
  }
  out.push_back({duration(results.seconds), "for all " + std::to_string(results.runs.size()) + " runs"});
  return out;
}

std::vector<Figure> figures_of(const Results& results, const DigitsStory& story) {
  const Run* best = best_run(results, story.tuned);
  const std::string shown = !story.grid_run.empty() ? story.grid_run : best != nullptr ? best->name : "";
  return digits_figures(results, story.tuned, shown, story.published, story.grid);
}

}  // namespace

const Run* best_run(const Results& results, const std::string& tuned) {
  const Run* best = nullptr;
  double accuracy = -1;
  for (const Run& run : results.runs) {
    const double own = test_accuracy(run, tuned, true);
    const bool candidate = run.adapter != "none" && run.train_digits == tuned && std::isfinite(own);
    if (candidate && (own > accuracy || (own == accuracy && run.rank < best->rank))) {
      best = &run;
      accuracy = own;
    }
  }
  return best;
}

Report digits_report(const Results& results, const DigitsStory& story) {
  const Run* best = best_run(results, story.tuned);
  Report report;
  report.title = "LoRA from digits " + story.base_digits + " to " + story.tuned;
  report.summary = summary_of(results, story, best);
  report.key_numbers = key_numbers(results, story, best);
  report.results = {runs_table(results, story.tuned, story.published)};
  report.details = {errors_table(results), cost_table(results)};
  report.settings = settings_of(results, story.settings);
  if (!story.published_note.empty()) {
    report.footnotes.push_back(story.published_note);
  }
  report.footnotes.push_back("The same command with the same seed gives the same numbers on this device, for any number of threads.");
  return report;
}

WrittenReport write_digits_report(const std::filesystem::path& out, const Results& results, const DigitsStory& story,
                                  const std::string& gnuplot) {
  return write_report(out, digits_report(results, story), figures_of(results, story), gnuplot);
}

}  // namespace mnist_lora
