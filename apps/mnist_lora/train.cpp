#include "apps/mnist_lora/train.hpp"

#include <iostream>

#include "apps/mnist_lora/adapters.hpp"
#include "apps/mnist_lora/command_line.hpp"
#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/experiment.hpp"
#include "apps/mnist_lora/finished.hpp"
#include "apps/mnist_lora/interrupt.hpp"
#include "apps/mnist_lora/text.hpp"
#include "apps/mnist_lora/train_plan.hpp"
#include "apps/mnist_lora/train_report.hpp"

namespace mnist_lora {

namespace {

/// A trained base would take the place of the weights that it began with.
void require_other_weights(const TrainOptions& options) {
  std::error_code missing;
  const std::filesystem::path base = options.common.out / "base.safetensors";
  lora::require(options.adapts() || !std::filesystem::equivalent(base, options.weights, missing), "train", "--weights ",
                options.weights.string(), " would be overwritten by what is trained from them; choose another --out");
}

ExperimentSetup setup_of(const TrainOptions& options) {
  ExperimentSetup setup;
  setup.command = "train";
  setup.common = options.common;
  setup.model = options.model;
  setup.weights = options.weights;
  setup.plans = {train_plan(options)};
  setup.groups = {options.digits};
  setup.tuned = options.digits;
  setup.settings = train_settings(options);
  return setup;
}

void announce(const Experiment& experiment, const RunPlan& plan) {
  const LoadedModel loaded = experiment.model_to_train(plan);
  const TrainingData& data = experiment.data();
  const lora::Index images = data.training(plan.digits, experiment.setup().common.batch_size).samples();
  std::cerr << "Training " << grouped(lora::count_parameters(*loaded.model).trainable) << " parameters of " << plan.name << " on "
            << grouped(images) << " images of the digits " << plan.digits << ", " << grouped(data.validation(plan.digits).samples())
            << " more choose the best epoch\n";
}

TrainStory story_of(const TrainOptions& options, const RunPlan& plan, const Tested& tested) {
  TrainStory story;
  story.model = options.model;
  story.weights = options.weights.string();
  const Predicted& predicted = tested.predicted.at(plan.name);
  if (!predicted.off.empty()) {
    story.grid = first_digits(tested.images, predicted.off, predicted.on);
  }
  story.settings = {{"Command line", options.command_line},
                    {"Data", data_folder(options.common).string()},
                    {"Optimizer", "AdamW, one-cycle learning rate up to " + short_number(plan.peak_lr)}};
  return story;
}

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

/// A command that computes does it in what this run was in.
std::string computing_command(const TrainOptions& options, const char* command, const ModelFiles& files, Words more) {
  if (options.common.dtype != CommonOptions().dtype) {
    more.insert(more.end(), {"--dtype", options.common.dtype});
  }
  return command_of(options, command, files, more);
}

/// What one would do next, with the paths of this run.
std::string next_commands(const TrainOptions& options, const ModelFiles& files) {
  const bool all = options.digits.complement().empty();
  std::string text = computing_command(options, "eval", files, all ? Words{} : Words{"--digits", options.digits.str()}) +
                     computing_command(options, "predict", files, {"--input", "IMAGES.safetensors", "--output", "LOGITS.safetensors"});
  if (options.adapts()) {
    return text + command_of(options, "merge", files, {"--output", (options.common.out / "merged.safetensors").string()});
  }
  Words more{"--adapter", adapter_names().front()};
  if (!all) {
    more.insert(more.end(), {"--digits", options.digits.complement().str()});
  }
  more.insert(more.end(), {"--out", options.common.out.string() + "-" + adapter_names().front()});
  return text + computing_command(options, "train", files, more);
}

}  // namespace

void run_train(const TrainOptions& options) {
  const InterruptGuard guard;
  apply_device(options.common);
  require_other_weights(options);
  Experiment experiment(setup_of(options));
  const RunPlan plan = experiment.setup().plans.front();
  if (!options.common.quiet) {
    announce(experiment, plan);
  }
  const Tested tested = experiment.run();
  write_results(experiment.workspace().results(), tested.results);
  const WrittenReport written = write_train_report(options.common.out, tested.results, story_of(options, plan, tested));
  say_finished(options.common, {tested.results, options.digits.str(), written}, reached(tested.results.runs.front()));
  if (!options.common.json && !options.common.quiet) {
    std::cout << "\nNext:\n" << next_commands(options, experiment.files(plan));
  }
}

}  // namespace mnist_lora
