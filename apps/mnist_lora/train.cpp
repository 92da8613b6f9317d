#include "apps/mnist_lora/train.hpp"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <optional>

#include "apps/mnist_lora/command_line.hpp"
#include "apps/mnist_lora/console.hpp"
#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/interrupt.hpp"
#include "apps/mnist_lora/model_files.hpp"
#include "apps/mnist_lora/model_test.hpp"
#include "apps/mnist_lora/text.hpp"
#include "apps/mnist_lora/train_plan.hpp"
#include "apps/mnist_lora/train_report.hpp"
#include "apps/mnist_lora/train_run.hpp"
#include "core/base/file.hpp"
#include "lora/peft_files.hpp"
#include "nn/weights_file.hpp"

namespace mnist_lora {

namespace {

std::filesystem::path data_folder(const CommonOptions& options) { return options.data.empty() ? bundled_mnist() : options.data; }

/// Base weights and adapter to train, from a stream of random numbers of the run's own.
LoadedModel model_to_train(const TrainOptions& options, const RunPlan& plan, const TrainingData& data) {
  lora::default_generator() = lora::Generator(options.common.seed, plan.random_stream());
  LoadedModel loaded =
      options.weights.empty() ? LoadedModel{make_model(options.model), std::nullopt} : load_model({options.model, options.weights, {}});
  loaded.model->train();
  if (!plan.is_base()) {
    const AdapterRequest request{plan.adapter, plan.rank, plan.alpha, planned_steps(plan, data, options.common), options.target};
    loaded.adapter = lora::attach(*loaded.model, make_method(request, *loaded.model));
  }
  return loaded;
}

/// What is missing shows now, before anything is written or trained.
TrainingData checked_data(const TrainOptions& options) {
  const std::filesystem::path folder = data_folder(options.common);
  TrainingData data(folder, options.common.limit, options.common.seed, {options.digits});
  data.training(options.digits, options.common.batch_size);
  data.validation(options.digits);
  require_test_files(folder);
  return data;
}

/// A trained base would take the place of the weights that it began with.
void require_other_weights(const TrainOptions& options) {
  std::error_code missing;
  const std::filesystem::path base = options.common.out / "base.safetensors";
  lora::require(options.adapts() || !std::filesystem::equivalent(base, options.weights, missing), "train", "--weights ",
                options.weights.string(), " would be overwritten by what is trained from them; choose another --out");
}

/// One training: its folder, its images, and its model.
class Training {
 public:
  explicit Training(const TrainOptions& options)
      : options_(options),
        plan_(train_plan(options)),
        data_(checked_data(options)),
        loaded_(model_to_train(options, plan_, data_)),
        workspace_(options.common.out, train_settings(options, data_folder(options.common)), options.common.resume),
        log_(workspace_.log(), options.common.resume ? lora::nn::CsvLog::Existing::keep : lora::nn::CsvLog::Existing::replace) {}

  Results run() {
    announce();
    Results results = describe_results("train", options_.common);
    results.runs.push_back(run_or_recall());
    Run& run = results.runs.back();
    const auto start = std::chrono::steady_clock::now();
    story_.grid = test(run);
    results.peak_bytes = run.peak_bytes;
    results.seconds = run.seconds + std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return results;
  }

  /// Writes results and report; gives a notice for the terminal.
  std::string write(const Results& results) {
    write_results(workspace_.results(), results);
    story_.model = options_.model;
    story_.weights = options_.weights.string();
    story_.settings = {{"Command line", options_.command_line}, {"Data", data_folder(options_.common).string()}};
    story_.settings.emplace_back("Optimizer", "AdamW, one-cycle learning rate up to " + short_number(plan_.peak_lr));
    const std::string notice = write_train_report(workspace_.folder(), results, story_);
    workspace_.close();
    return notice;
  }

  ModelFiles files() const {
    return {options_.model, workspace_.base_weights(), plan_.is_base() ? std::filesystem::path() : workspace_.adapter_folder(plan_.name)};
  }

 private:
  void announce() const {
    if (!options_.common.quiet) {
      const lora::Index images = data_.training(options_.digits, options_.common.batch_size).samples();
      std::cerr << "Training " << grouped(lora::count_parameters(*loaded_.model).trainable) << " parameters of " << plan_.name << " on "
                << grouped(images) << " images of the digits " << options_.digits << ", "
                << grouped(data_.validation(options_.digits).samples()) << " more choose the best epoch\n";
    }
  }

  Run run_or_recall() {
    if (const Run* run = workspace_.finished(plan_.name)) {
      return *run;
    }
    if (!plan_.is_base()) {
      keep_base();
    }
    const Run run = train_run(*loaded_.model, plan_, data_, options_.common, workspace_, log_);
    if (plan_.is_base()) {
      lora::nn::save_weights(*loaded_.model, workspace_.base_weights());
    } else {
      lora::save_adapter(*loaded_.adapter, workspace_.adapter_folder(plan_.name));
    }
    workspace_.finish(run);
    return run;
  }

  /// The base as it was, so that the folder has all that the adapter needs.
  void keep_base() const {
    std::error_code missing;
    if (!std::filesystem::equivalent(options_.weights, workspace_.base_weights(), missing)) {
      const lora::MappedFile file(options_.weights);
      const std::span<const std::byte> bytes = file.bytes();
      lora::write_file_atomically(workspace_.base_weights(), std::span(&bytes, 1));
    }
  }

  /// Tests what is in the files. @return images for the report, where there are two predictions to compare
  std::vector<GridDigit> test(Run& run) const {
    const LoadedModel written = load_model(files());
    const ImagePart images = test_images(data_folder(options_.common));
    ModelTest found = test_model(*written.model, images, tested_sets(options_.digits, options_.digits));
    run.test = std::move(found.rows);
    return found.off.empty() ? std::vector<GridDigit>{} : first_digits(images, found.off, found.on);
  }

  const TrainOptions& options_;
  RunPlan plan_;
  TrainingData data_;
  LoadedModel loaded_;
  Workspace workspace_;
  lora::nn::CsvLog log_;
  TrainStory story_;
};

using Words = std::vector<std::string>;

std::string reached(const Run& run) {
  const std::string digits = run.train_digits;
  const std::string before =
      run.adapter == "none" ? "" : ", where it is " + fixed(test_accuracy(run, digits, false), 2) + " % without the adapter";
  return "Right on the test images of " + digits + ": " + fixed(test_accuracy(run, digits, true), 2) + " %" + before + '\n';
}

std::string command_of(const TrainOptions& options, const char* command, const ModelFiles& files, const Words& more) {
  std::vector<std::string> words{options.program, command};
  const std::vector<std::string> model = command_words(files);
  words.insert(words.end(), model.begin(), model.end());
  words.insert(words.end(), more.begin(), more.end());
  return "  " + shell_command(words) + '\n';
}

/// What one would do next, with the paths of this run.
std::string next_commands(const TrainOptions& options, const ModelFiles& files) {
  const bool all = options.digits.complement().empty();
  std::string text = command_of(options, "eval", files, all ? Words{} : Words{"--digits", options.digits.str()}) +
                     command_of(options, "predict", files, {"--input", "IMAGES.safetensors", "--output", "LOGITS.safetensors"});
  if (options.adapts()) {
    return text + command_of(options, "merge", files, {"--output", (options.common.out / "merged.safetensors").string()});
  }
  Words more{"--adapter", adapter_names().front()};
  if (!all) {
    more.insert(more.end(), {"--digits", options.digits.complement().str()});
  }
  more.insert(more.end(), {"--out", options.common.out.string() + "-" + adapter_names().front()});
  return text + command_of(options, "train", files, more);
}

}  // namespace

void run_train(const TrainOptions& options) {
  const InterruptGuard guard;
  apply_device(options.common);
  require_other_weights(options);
  Training training(options);
  const Results results = training.run();
  const std::string notice = training.write(results);
  if (options.common.json) {
    std::cout << to_text(results);
  } else if (!options.common.quiet) {
    print_summary(std::cout, results, options.digits.str(), use_colour(stdout));
    std::cout << reached(results.runs.front()) << "Report: " << (options.common.out / "report.html").string() << "\n\nNext:\n"
              << next_commands(options, training.files());
  }
  if (!notice.empty()) {
    std::cerr << notice << '\n';
  }
}

}  // namespace mnist_lora
