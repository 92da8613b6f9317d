#include "apps/mnist_lora/digits.hpp"

#include <chrono>
#include <iostream>
#include <memory>

#include "apps/mnist_lora/console.hpp"
#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/digits_plan.hpp"
#include "apps/mnist_lora/digits_report.hpp"
#include "apps/mnist_lora/digits_test.hpp"
#include "apps/mnist_lora/interrupt.hpp"
#include "apps/mnist_lora/lists.hpp"
#include "apps/mnist_lora/results.hpp"
#include "apps/mnist_lora/text.hpp"
#include "apps/mnist_lora/train_run.hpp"
#include "core/base/memory.hpp"
#include "core/base/rng.hpp"
#include "lora/lora.hpp"
#include "lora/peft_files.hpp"
#include "models/mlp.hpp"
#include "nn/weights_file.hpp"

namespace mnist_lora {

namespace {

Settings settings_of(const DigitsOptions& o, const std::filesystem::path& data) {
  Settings settings = training_settings("digits", o.common, data);
  settings.insert({{"--base", o.base.str()}, {"--tune", o.tune.str()}, {"--ranks", format_ranks(o.ranks)}});
  return settings;
}

/// All training images that the experiment will ask for, asked for once, and the test files looked for (they are read at the end): what is
/// missing shows now, before anything is written or trained.
TrainingData checked_data(const DigitsOptions& options, const std::filesystem::path& folder) {
  TrainingData data(folder, options.common.limit, options.common.seed, {options.base, options.tune});
  for (const RunPlan& plan : digits_plan(options)) {
    data.training(plan.digits, options.common.batch_size);
    data.validation(plan.digits);
  }
  require_test_files(folder);
  return data;
}

/// One experiment: its folder, its images, and the runs so far.
class Digits {
 public:
  Digits(const DigitsOptions& options, const std::filesystem::path& data)
      : options_(options),
        data_(data),
        training_(checked_data(options, data)),
        workspace_(options.common.out, settings_of(options, data), options.common.resume),
        log_(workspace_.log(), options.common.resume ? lora::nn::CsvLog::Existing::keep : lora::nn::CsvLog::Existing::replace) {}

  /// Its seconds are those of all training, that before an interruption included, and of the test.
  Results run() {
    Results results = describe_results("digits", options_.common);
    for (const RunPlan& plan : digits_plan(options_)) {
      results.runs.push_back(run_or_recall(plan));
      results.peak_bytes = std::max(results.peak_bytes, results.runs.back().peak_bytes);
      results.seconds += results.runs.back().seconds;
    }
    const auto start = std::chrono::steady_clock::now();
    story_.grid = test_digits(results, options_, data_, workspace_);
    results.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return results;
  }

  /// Writes results and report; gives a notice for the terminal.
  std::string write(const Results& results) {
    write_results(workspace_.results(), results);
    story_.base_digits = options_.base.str();
    story_.tuned = options_.tune.str();
    story_.published = digits_published(options_);
    story_.settings = {{"Command line", options_.command_line}, {"Data", data_.string()}, {"Optimizer", "AdamW, one-cycle learning rate"}};
    const std::string notice = write_digits_report(workspace_.folder(), results, story_);
    workspace_.close();
    return notice;
  }

 private:
  Run run_or_recall(const RunPlan& plan) {
    if (const Run* run = workspace_.finished(plan.name)) {
      return *run;
    }
    lora::default_generator() = lora::Generator(options_.common.seed, plan.random_stream());
    lora::models::Mlp model;
    const Run run = plan.is_base() ? train_base(model, plan) : train_adapter(model, plan);
    workspace_.finish(run);
    return run;
  }

  Run train_base(lora::models::Mlp& model, const RunPlan& plan) {
    const Run run = train_run(model, plan, training_, options_.common, workspace_, log_);
    lora::nn::save_weights(model, workspace_.base_weights());
    return run;
  }

  Run train_adapter(lora::models::Mlp& model, const RunPlan& plan) {
    lora::nn::load_weights(model, workspace_.base_weights());
    lora::LoraConfig config;
    config.r = plan.rank;
    config.lora_alpha = plan.alpha;
    config.init_lora_weights = plan.init;
    config.target_modules = {"fc1", "fc2", "fc3"};
    const lora::AttachedAdapter adapter = lora::attach(model, config);
    const Run run = train_run(model, plan, training_, options_.common, workspace_, log_);
    lora::save_adapter(adapter, workspace_.adapter_folder(plan.name));
    return run;
  }

  const DigitsOptions& options_;
  std::filesystem::path data_;
  TrainingData training_;
  Workspace workspace_;
  lora::nn::CsvLog log_;
  DigitsStory story_;
};

}  // namespace

void run_digits(const DigitsOptions& options) {
  lora::require(!options.base.empty() && !options.tune.empty(), "digits", "--base and --tune need at least one digit each");
  const InterruptGuard guard;
  apply_device(options.common);
  Digits experiment(options, options.common.data.empty() ? bundled_mnist() : options.common.data);
  const Results results = experiment.run();
  const std::string notice = experiment.write(results);
  if (options.common.json) {
    std::cout << to_text(results);
  } else if (!options.common.quiet) {
    print_summary(std::cout, results, options.tune.str(), use_colour(stdout));
    std::cout << "Report: " << (options.common.out / "report.html").string() << '\n';
  }
  if (!notice.empty()) {
    std::cerr << notice << '\n';
  }
}

}  // namespace mnist_lora
