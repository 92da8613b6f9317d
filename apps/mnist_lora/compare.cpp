#include "apps/mnist_lora/compare.hpp"

#include "apps/mnist_lora/compare_plan.hpp"
#include "apps/mnist_lora/compare_report.hpp"
#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/experiment.hpp"
#include "apps/mnist_lora/interrupt.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ",") + name;
  }
  return text;
}

ExperimentSetup setup_of(const CompareOptions& o) {
  ExperimentSetup setup;
  setup.command = "compare";
  setup.common = o.common;
  setup.model = o.model;
  setup.plans = compare_plan(o);
  setup.groups = {lora::datasets::DigitSet::all()};
  setup.tuned = lora::datasets::DigitSet::all();
  setup.settings = {
      {"--model", o.model}, {"--adapters", joined(o.adapters)}, {"--rank", std::to_string(o.rank)}, {"--alpha", exact(o.alpha)}};
  return setup;
}

CompareStory story_of(const CompareOptions& options) {
  CompareStory story;
  story.model = options.model;
  story.limit = options.common.limit;
  story.settings = {{"Command line", options.command_line},
                    {"Data", data_folder(options.common).string()},
                    {"Optimizer", "AdamW, one-cycle learning rate"}};
  return story;
}

}  // namespace

CommonOptions compare_defaults() {
  CommonOptions common;
  common.out = "out/compare";
  common.lr = 0;
  common.epochs = 12;
  common.patience = 3;
  return common;
}

FinishedExperiment compare_experiment(const CompareOptions& options) {
  Experiment experiment(setup_of(options));
  const Tested tested = experiment.run();
  write_results(experiment.workspace().results(), tested.results);
  return {tested.results, "0-9", write_compare_report(options.common.out, tested.results, story_of(options))};
}

void run_compare(const CompareOptions& options) {
  const InterruptGuard guard;
  apply_device(options.common);
  say_finished(options.common, compare_experiment(options));
}

}  // namespace mnist_lora
