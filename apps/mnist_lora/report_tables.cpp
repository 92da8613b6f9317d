#include "apps/mnist_lora/report_tables.hpp"

#include <algorithm>
#include <cmath>

#include "apps/mnist_lora/text.hpp"
#include "datasets/digits.hpp"

namespace mnist_lora {

namespace {

/// Columns of numbers side by side: a value for each run, and whether the largest is marked.
struct Column {
  std::string header;
  std::vector<double> values;
};

double best_adapter(const Results& results, const std::vector<double>& values) {
  double best = std::nan("");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (results.runs[i].adapter != "none" && !(values[i] <= best) && std::isfinite(values[i])) {
      best = values[i];
    }
  }
  return best;
}

template <class Value>
Column column(const Results& results, std::string header, const Value& value) {
  Column out{std::move(header), {}};
  for (const Run& run : results.runs) {
    out.values.push_back(value(run));
  }
  return out;
}

std::int64_t count_adapters(const Results& results) {
  return std::count_if(results.runs.begin(), results.runs.end(), [](const Run& run) { return run.adapter != "none"; });
}

/// Accuracy without adapters; for the base that is all there is.
double without_adapters(const Run& run, const std::string& digits) { return test_accuracy(run, digits, run.adapter == "none"); }

std::vector<Column> accuracy_columns(const Results& results, const std::string& tuned, const Published& published) {
  const lora::datasets::DigitSet others = lora::datasets::DigitSet::parse(tuned).complement();
  const std::string others_name = others.str();
  const auto on = [&](std::string header, const std::string& digits) {
    return column(results, std::move(header), [&digits](const Run& run) { return test_accuracy(run, digits, true); });
  };
  std::vector<Column> columns{column(results, "Validation", best_val_accuracy), on("Digits " + tuned, tuned)};
  if (!published.empty()) {
    columns.push_back(column(results, "Published", [&published](const Run& run) {
      const auto known = published.find(run.name);
      return known != published.end() ? known->second : std::nan("");
    }));
  }
  if (!others.empty()) {
    columns.push_back(on("Digits " + others_name, others_name));
  }
  if (tuned != "0-9") {
    columns.push_back(on("All digits", "0-9"));
  }
  if (count_adapters(results) > 0) {
    columns.push_back(column(results, "All, adapter off", [](const Run& run) { return without_adapters(run, "0-9"); }));
  }
  return columns;
}

/// Whether a mark says something: the adapters differ.
bool can_mark(const Results& results, const Column& values) {
  const double best = best_adapter(results, values.values);
  const bool own = values.header.rfind("Published", 0) != 0 && values.header.find("off") == std::string::npos;
  return own && count_adapters(results) > 1 && std::isfinite(best);
}

/// Trained parameters for each of the model's own.
std::string share_of(const Run& run) {
  const std::int64_t own = run.parameters.total - run.parameters.added;
  return own > 0 ? fixed(100.0 * static_cast<double>(run.parameters.trainable) / static_cast<double>(own), 1) + " %" : "-";
}

std::vector<Cell> run_cells(const Run& run) {
  const bool plain = run.adapter == "none";
  return {{run.name},     {run.adapter}, {run.train_digits}, {plain ? "-" : std::to_string(run.rank)}, {grouped(run.parameters.trainable)},
          {share_of(run)}};
}

}  // namespace

ReportTable runs_table(const Results& results, const std::string& tuned, const Published& published) {
  ReportTable table{"Runs", {"Run", "Adapter", "Trained on", "Rank", "Trainable parameters", "Share of base"}, {}, 3, ""};
  for (const Run& run : results.runs) {
    table.rows.push_back(run_cells(run));
  }
  for (const Column& values : accuracy_columns(results, tuned, published)) {
    table.header.push_back(values.header);
    const bool mark = can_mark(results, values);
    const double best = best_adapter(results, values.values);
    for (std::size_t i = 0; i < results.runs.size(); ++i) {
      table.rows[i].push_back({fixed(values.values[i], 2), mark && results.runs[i].adapter != "none" && values.values[i] == best});
    }
  }
  table.note =
      "Accuracies in per cent; validation is on held-out training images of the run's own digits after the epoch whose weights were kept, "
      "the other "
      "columns are on test images.";
  if (count_adapters(results) > 1) {
    table.note += " The best adapter of a column is marked.";
  }
  if (!published.empty()) {
    table.note += " Published is what others report for the digits that the run was trained on.";
  }
  return table;
}

ReportTable errors_table(const Results& results) {
  ReportTable table{"Errors by digit", {"Run"}, {}, 1, "Wrong test images of each digit"};
  table.note += count_adapters(results) > 0 ? ", with the adapter enabled." : ".";
  for (int d = 0; d < 10; ++d) {
    table.header.push_back(std::to_string(d));
  }
  table.header.push_back("Sum");
  for (const Run& run : results.runs) {
    if (const TestRow* test = find_test(run, "0-9", true); test != nullptr) {
      std::vector<Cell> row{{run.name}};
      std::int64_t sum = 0;
      for (const std::int64_t errors : test->errors_per_digit) {
        row.push_back({grouped(errors)});
        sum += errors;
      }
      row.push_back({grouped(sum)});
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

ReportTable cost_table(const Results& results) {
  ReportTable table{"Time and memory", {"Run", "Epochs", "Time", "Time per epoch", "Peak memory", "Weights"}, {}, 1, ""};
  for (const Run& run : results.runs) {
    const double epochs = static_cast<double>(run.epochs.size());
    table.rows.push_back({{run.name},
                          {std::to_string(run.epochs.size()) + (run.stopped_early ? " (stopped early)" : "")},
                          {duration(run.seconds)},
                          {duration(epochs > 0 ? run.seconds / epochs : std::nan(""))},
                          {bytes(run.peak_bytes)},
                          {bytes(run.weight_bytes)}});
  }
  table.note = "Peak memory is that of live tensors.";
  return table;
}

std::vector<std::pair<std::string, std::string>> settings_of(const Results& results,
                                                             const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::pair<std::string, std::string>> out{
      {"Command", results.command}, {"Version", "lora_core " + results.version},  {"Device", results.device},
      {"Products", results.dtype},  {"Threads", std::to_string(results.threads)}, {"Seed", std::to_string(results.seed)}};
  out.insert(out.end(), more.begin(), more.end());
  out.insert(out.end(), {{"Time", duration(results.seconds)}, {"Peak memory", bytes(results.peak_bytes)}});
  return out;
}

}  // namespace mnist_lora
