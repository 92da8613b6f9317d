#include "apps/mnist_lora/finetune_report.hpp"

#include <algorithm>
#include <cmath>

#include "apps/mnist_lora/error_bars.hpp"
#include "apps/mnist_lora/finetune_plan.hpp"
#include "apps/mnist_lora/learning_curves.hpp"
#include "apps/mnist_lora/report_tables.hpp"
#include "apps/mnist_lora/sweep.hpp"
#include "apps/mnist_lora/text.hpp"
#include "datasets/digits.hpp"

namespace mnist_lora {

namespace {

using lora::datasets::DigitSet;

std::string percent(double value) { return fixed(value, 2) + " %"; }

std::int64_t errors_of(const TestRow& row, const DigitSet& digits) {
  std::int64_t sum = 0;
  for (int digit = 0; digit <= 9; ++digit) {
    sum += digits.contains(digit) ? row.errors_per_digit[static_cast<std::size_t>(digit)] : 0;
  }
  return sum;
}

std::int64_t errors_of(const Run& run, const DigitSet& digits, bool enabled) {
  const TestRow* row = find_test(run, "0-9", enabled);
  return row == nullptr ? 0 : errors_of(*row, digits);
}

/// Base and adapters that are no part of a sweep.
Results main_runs(const Results& results, const FinetuneStory& story) {
  Results out = results;
  out.runs.clear();
  for (std::size_t i = 0; i < results.runs.size(); ++i) {
    if (i >= story.plans.size() || !is_of_sweep(story.plans[i])) {
      out.runs.push_back(results.runs[i]);
    }
  }
  return out;
}

/// The rest of the digits if there are any, else none.
DigitSet others_of(const FinetuneStory& story) { return DigitSet::parse(story.tuned).complement(); }

std::vector<Cell> enabled_row(const std::string& name, const TestRow& row, const FinetuneStory& story) {
  std::vector<Cell> cells{{name}};
  for (const std::int64_t errors : row.errors_per_digit) {
    cells.push_back({grouped(errors)});
  }
  for (const DigitSet& set : {DigitSet::parse(story.tuned), others_of(story), DigitSet::all()}) {
    cells.push_back({grouped(errors_of(row, set))});
  }
  return cells;
}

std::string images_of(const FinetuneStory& story) {
  return story.limit > 0 ? "the first " + grouped(story.limit) + " training images" : "the training images";
}

std::string outcome_of(const Run& run, const FinetuneStory& story) {
  const DigitSet tuned = DigitSet::parse(story.tuned);
  return " With " + run.name + " the errors on test images of " + story.tuned + " go from " + grouped(errors_of(run, tuned, false)) +
         " to " + grouped(errors_of(run, tuned, true)) + ", and the accuracy on all digits from " +
         percent(test_accuracy(run, "0-9", false)) + " to " + percent(test_accuracy(run, "0-9", true)) + ".";
}

std::string summary_of(const Results& shown, const FinetuneStory& story) {
  std::string text = "A " + story.model + " was trained on " + images_of(story) +
                     " of all digits until its validation got no better, and frozen; LoRA was then tuned on the digits " + story.tuned +
                     ".";
  for (const Run& run : shown.runs) {
    text += run.adapter != "none" && !run.test.empty() ? outcome_of(run, story) : "";
  }
  return text;
}

std::vector<KeyNumber> key_numbers(const Results& shown, const Results& results, const FinetuneStory& story) {
  std::vector<KeyNumber> out;
  for (const Run& run : shown.runs) {
    if (run.adapter == "none") {
      out.push_back({percent(test_accuracy(run, "0-9", true)), "base on all digits"});
    } else {
      const double reduction = error_reduction(run, story.tuned);
      out.push_back({fixed(reduction, 0) + " %", "fewer errors on " + story.tuned + " with " + run.name});
      out.push_back({percent(test_accuracy(run, "0-9", true)), "on all digits with " + run.name});
    }
  }
  if (shown.runs.size() > 1) {
    out.push_back({grouped(shown.runs[1].parameters.trainable), "parameters trained by an adapter"});
  }
  out.push_back({duration(results.seconds), "for all " + std::to_string(results.runs.size()) + " runs"});
  return out;
}

Figure errors_figure(const Run& run, const FinetuneStory& story) {
  const TestRow* off = find_test(run, "0-9", false);
  const TestRow* on = find_test(run, "0-9", true);
  Figure figure = error_bars({{"disabled", off != nullptr ? *off : TestRow()}, {"enabled", on != nullptr ? *on : TestRow()}},
                             others_of(story).empty() ? "" : story.tuned);
  figure.name = "errors_by_digit_" + run.name;
  figure.title = "Errors by digit, " + run.name;
  figure.caption = "Wrong test images of each digit with " + run.name + " disabled and enabled. The digits that were tuned are shaded.";
  return figure;
}

std::vector<SweepPoint> sweep_of(const Results& results, const FinetuneStory& story) {
  std::vector<SweepPoint> points;
  for (std::size_t i = 0; i < std::min(results.runs.size(), story.plans.size()); ++i) {
    const Run& run = results.runs[i];
    if (is_of_sweep(story.plans[i])) {
      points.push_back({run.rank, story.plans[i].peak_lr, error_reduction(run, story.tuned), test_accuracy(run, "0-9", true)});
    }
  }
  return points;
}

std::vector<Figure> figures_of(const Results& results, const FinetuneStory& story) {
  const Results shown = main_runs(results, story);
  std::vector<Figure> figures;
  for (const Run& run : shown.runs) {
    if (run.adapter != "none" && !run.test.empty()) {
      figures.push_back(errors_figure(run, story));
    }
  }
  if (shown.runs.size() < results.runs.size()) {
    figures.push_back(sweep_map(sweep_of(results, story), story.tuned));
  }
  if (has_epochs(shown)) {
    figures.push_back(learning_curves(shown));
  }
  return figures;
}

constexpr const char* kPublished =
    "The published run of this experiment, which tuned on 3, 6 and 8 alone, fell from 94.3 % to 61.9 % on all digits: what is tuned on "
    "some "
    "digits alone answers with them. Replaying some images of the others, with the base's outputs held on them, prevents that.";

}  // namespace

double error_reduction(const Run& run, const std::string& tuned) {
  const DigitSet digits = DigitSet::parse(tuned);
  const auto before = static_cast<double>(errors_of(run, digits, false)), after = static_cast<double>(errors_of(run, digits, true));
  return before > 0 ? 100.0 * (before - after) / before : std::nan("");
}

ReportTable enabled_table(const Results& results, const FinetuneStory& story) {
  ReportTable table{"Errors by digit", {"Adapter"}, {}, 1, ""};
  for (int digit = 0; digit <= 9; ++digit) {
    table.header.push_back(std::to_string(digit));
  }
  table.header.insert(table.header.end(), {story.tuned, others_of(story).str(), "All"});
  const Run* base = base_run(results);
  if (const TestRow* row = base != nullptr ? find_test(*base, "0-9", true) : nullptr; row != nullptr) {
    table.rows.push_back(enabled_row("disabled", *row, story));
  }
  for (const Run& run : results.runs) {
    if (const TestRow* row = find_test(run, "0-9", true); run.adapter != "none" && row != nullptr) {
      table.rows.push_back(enabled_row(run.name, *row, story));
    }
  }
  table.note = "Wrong test images of each digit, and their sums. Disabled, each adapter leaves the base, bit for bit.";
  return table;
}

Report finetune_report(const Results& results, const FinetuneStory& story) {
  const Results shown = main_runs(results, story);
  Report report;
  report.title = "LoRA on " + story.model + ": tuning the digits " + story.tuned;
  report.summary = summary_of(shown, story);
  report.key_numbers = key_numbers(shown, results, story);
  report.results = {enabled_table(shown, story), runs_table(shown, story.tuned, {}), story.layers};
  if (std::any_of(story.plans.begin(), story.plans.end(), [](const RunPlan& plan) { return plan.keep_others > 0; })) {
    report.results[1].note += " Runs that keep other digits are validated on all.";
  }
  report.details = {cost_table(results)};
  if (shown.runs.size() < results.runs.size()) {
    report.results.push_back(sweep_table(sweep_of(results, story), story.tuned));
  }
  report.settings = settings_of(results, story.settings);
  report.footnotes = {kPublished, "The same command with the same seed gives the same numbers on this device, for any number of threads."};
  return report;
}

WrittenReport write_finetune_report(const std::filesystem::path& out, const Results& results, const FinetuneStory& story,
                                    const std::string& gnuplot) {
  return write_report(out, finetune_report(results, story), figures_of(results, story), gnuplot);
}

}  // namespace mnist_lora
