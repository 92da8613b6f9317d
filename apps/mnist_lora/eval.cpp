#include "apps/mnist_lora/eval.hpp"

#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "apps/mnist_lora/console.hpp"
#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/model_test.hpp"
#include "apps/mnist_lora/text.hpp"
#include "apps/mnist_lora/text_table.hpp"
#include "core/autocast.hpp"
#include "core/base/memory.hpp"

namespace mnist_lora {

namespace {

using Json = nlohmann::ordered_json;

struct Report {
  lora::ParameterCounts parameters;
  std::size_t images = 0;
  std::vector<TestRow> test;
  double seconds = 0;
};

ImagePart images_of(const EvalOptions& options) {
  const CommonOptions& common = options.common;
  const std::filesystem::path folder = common.data.empty() ? bundled_mnist() : common.data;
  if (options.split == "test") {
    return test_images(folder, common.limit);
  }
  const TrainingData data(folder, common.limit, common.seed, {options.digits});
  return options.split == "train" ? data.training_part() : data.validation_part();
}

Report evaluate(const EvalOptions& options) {
  const LoadedModel loaded = load_model(options.files, device_of(options.common));
  const ImagePart images = images_of(options);
  const lora::Autocast products(dtype_of(options.common));
  const auto start = std::chrono::steady_clock::now();
  Report report;
  report.parameters = lora::count_parameters(*loaded.model);
  report.images = images.indices.size();
  report.test = test_model(*loaded.model, images, tested_sets(options.digits, options.digits), options.common.batch_size).rows;
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

Json to_json(const EvalOptions& options, const Report& report) {
  const Results about = describe_results("eval", options.common);
  Json json{{"command", about.command},
            {"version", about.version},
            {"device", about.device},
            {"dtype", about.dtype},
            {"threads", about.threads},
            {"seconds", report.seconds},
            {"peak_bytes", lora::memory_stats(device_of(options.common)).peak_bytes},
            {"model", options.files.model},
            {"weights", options.files.weights.string()},
            {"adapter", options.files.adapter.empty() ? Json() : Json(options.files.adapter.string())},
            {"parameters", {{"total", report.parameters.total}, {"added", report.parameters.added}}},
            {"split", options.split},
            {"images", report.images},
            {"test", Json::array()}};
  for (const TestRow& row : report.test) {
    json["test"].push_back(mnist_lora::to_json(row));
  }
  return json;
}

/// Text columns first; those of digits that a row does not have are empty.
std::vector<TextCell> line_of(const TestRow& row, bool adapted) {
  const auto digits = lora::datasets::DigitSet::parse(row.digits);
  std::vector<TextCell> line{{row.digits}};
  if (adapted) {
    line.push_back({row.enabled ? "on" : "off"});
  }
  const std::int64_t errors = std::accumulate(row.errors_per_digit.begin(), row.errors_per_digit.end(), std::int64_t{0});
  line.insert(line.end(), {{fixed(row.accuracy, 2)}, {fixed(row.loss, 4)}, {std::to_string(errors)}});
  for (int digit = 0; digit <= 9; ++digit) {
    line.push_back({digits.contains(digit) ? std::to_string(row.errors_per_digit[static_cast<std::size_t>(digit)]) : ""});
  }
  return line;
}

void print_rows(const std::vector<TestRow>& rows, bool adapted) {
  std::vector<std::vector<TextCell>> lines{{{"digits"}}};
  if (adapted) {
    lines[0].push_back({"adapter"});
  }
  lines[0].insert(lines[0].end(), {{"right %"}, {"loss"}, {"errors"}});
  for (int digit = 0; digit <= 9; ++digit) {
    lines[0].push_back({"of " + std::to_string(digit)});
  }
  for (const TestRow& row : rows) {
    lines.push_back(line_of(row, adapted));
  }
  print_table(std::cout, lines, adapted ? 2 : 1, use_colour(stdout));
}

void print(const EvalOptions& options, const Report& report) {
  if (!options.common.quiet) {
    std::cout << options.files.model << ", " << grouped(report.parameters.total) << " parameters";
    if (report.parameters.added > 0) {
      std::cout << " (" << grouped(report.parameters.added) << " of the adapter)";
    }
    std::cout << ", on " << grouped(static_cast<std::int64_t>(report.images)) << ' ' << options.split << " images, "
              << duration(report.seconds) << "\n\n";
  }
  print_rows(report.test, report.parameters.added > 0);
}

}  // namespace

std::vector<std::string> eval_splits() { return {"test", "validation", "train"}; }

void run_eval(const EvalOptions& options) {
  apply_device(options.common);
  const Report report = evaluate(options);
  if (options.common.json) {
    std::cout << to_json(options, report).dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
  } else {
    print(options, report);
  }
}

}  // namespace mnist_lora
