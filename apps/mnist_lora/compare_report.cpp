#include "apps/mnist_lora/compare_report.hpp"

#include <algorithm>

#include "apps/mnist_lora/compare_plots.hpp"
#include "apps/mnist_lora/report_tables.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

std::string percent(double value) { return fixed(value, 2) + " %"; }

double accuracy(const Run& run) { return test_accuracy(run, "0-9", true); }

/// The adapter with the best test accuracy, or null.
const Run* best_adapter(const Results& results) {
  const Run* best = nullptr;
  for (const Run& run : results.runs) {
    if (run.adapter != "none" && (best == nullptr || accuracy(run) > accuracy(*best))) {
      best = &run;
    }
  }
  return best;
}

/// The run whose frozen weights take least for each parameter, or null if all take the same.
const Run* smallest(const Results& results) {
  const Run* base = base_run(results);
  const Run* least = base;
  for (const Run& run : results.runs) {
    least = least != nullptr && frozen_bytes(run) < frozen_bytes(*least) ? &run : least;
  }
  return least == base ? nullptr : least;
}

double trained(const Run& run) { return static_cast<double>(run.parameters.trainable); }

std::vector<double> adapter_values(const Results& results, double (*value)(const Run&)) {
  std::vector<double> values;
  for (const Run& run : results.runs) {
    if (run.adapter != "none") {
      values.push_back(value(run));
    }
  }
  return values;
}

/// `98.30 % to 98.33 %`, or one value where they do not differ.
std::string between(const std::vector<double>& values, std::string (*text)(double)) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return text(*low) == text(*high) ? text(*low) : text(*low) + " to " + text(*high);
}

std::string images_of(const CompareStory& story) {
  return story.limit > 0 ? "the first " + grouped(story.limit) + " training images" : "the training images";
}

std::string summary_of(const Results& results, const CompareStory& story) {
  const Run* base = base_run(results);
  std::string text = "The model " + story.model + " was trained on " + images_of(story) +
                     " of all digits and frozen. Each kind of adapter was then tuned on it, with the same images.";
  if (base != nullptr && best_adapter(results) != nullptr) {
    text += " On the test images the base is right for " + percent(accuracy(*base)) + ", the adapters for " +
            between(adapter_values(results, accuracy), percent) + ", training " +
            between(adapter_values(results, trained), [](double count) { return grouped(static_cast<std::int64_t>(count)); }) +
            " parameters where the base has " + grouped(base->parameters.total) + ".";
  }
  if (const Run* least = smallest(results); least != nullptr) {
    text += " The frozen weights of " + least->name + " take " + bytes(frozen_bytes(*least)) + ", those of the others " +
            bytes(frozen_bytes(*base)) + ".";
  }
  return text;
}

std::vector<KeyNumber> key_numbers(const Results& results) {
  std::vector<KeyNumber> out;
  if (const Run* base = base_run(results); base != nullptr) {
    out.push_back({percent(accuracy(*base)), "base on the test images"});
  }
  if (const Run* best = best_adapter(results); best != nullptr) {
    out.push_back({percent(accuracy(*best)), best->name + ", the best adapter"});
    out.push_back({grouped(best->parameters.trainable), "parameters trained by " + best->name});
  }
  if (const Run* least = smallest(results); least != nullptr) {
    const double share = static_cast<double>(frozen_bytes(*least)) / static_cast<double>(frozen_bytes(*base_run(results)));
    out.push_back({fixed(100 * share, 1) + " %", "of the memory for frozen weights, with " + least->name});
  }
  out.push_back({duration(results.seconds), "for all " + std::to_string(results.runs.size()) + " runs"});
  return out;
}

std::vector<Cell> method_row(const Run& run, bool best) {
  const bool plain = run.adapter == "none";
  const std::string epochs = std::to_string(run.epochs.size()) + (run.stopped_early ? ", stopped" : "");
  return {{run.name},
          {plain ? "-" : std::to_string(run.rank)},
          {grouped(run.parameters.trainable)},
          {grouped(run.parameters.added)},
          {fixed(best_val_accuracy(run), 2)},
          {fixed(accuracy(run), 2), best},
          {plain ? "-" : fixed(test_accuracy(run, "0-9", false), 2)},
          {run.best_epoch > 0 ? std::to_string(run.best_epoch) + " of " + epochs : "-"},
          {duration(run.seconds)},
          {bytes(run.peak_bytes)},
          {bytes(run.weight_bytes)},
          {bytes(frozen_bytes(run))}};
}

}  // namespace

ReportTable methods_table(const Results& results) {
  ReportTable table{"Methods", {}, {}, 1, ""};
  table.header = {"Method",      "Rank",       "Trained", "Added",       "Validation", "Test",
                  "Adapter off", "Best epoch", "Time",    "Peak memory", "Weights",    "Frozen part"};
  const Run* best = best_adapter(results);
  for (const Run& run : results.runs) {
    table.rows.push_back(method_row(run, &run == best && results.runs.size() > 2));
  }
  table.note =
      "Trained and added are numbers of parameters; of methods that prune, those that are left. Accuracies in per cent; validation is on "
      "held-out training images after the best "
      "epoch, test on all test images, adapter off the frozen base of the method alone. Peak memory is that of live tensors.";
  return table;
}

Report compare_report(const Results& results, const CompareStory& story) {
  Report report;
  report.title = "Adapters side by side: " + story.model;
  report.summary = summary_of(results, story);
  report.key_numbers = key_numbers(results);
  report.results = {methods_table(results)};
  report.details = {errors_table(results)};
  report.settings = settings_of(results, story.settings);
  report.footnotes = {
      "The adapters are tuned on the images that the base was trained on, so what they gain is what a low rank adds to a "
      "trained model, not what it learns of new data.",
      "The same command with the same seed gives the same numbers on this device, for any number of threads."};
  return report;
}

WrittenReport write_compare_report(const std::filesystem::path& out, const Results& results, const CompareStory& story,
                                   const std::string& gnuplot) {
  return write_report(out, compare_report(results, story), compare_figures(results), gnuplot);
}

}  // namespace mnist_lora
