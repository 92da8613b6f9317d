#include "apps/mnist_lora/digits.hpp"

#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/digits_plan.hpp"
#include "apps/mnist_lora/digits_report.hpp"
#include "apps/mnist_lora/experiment.hpp"
#include "apps/mnist_lora/interrupt.hpp"
#include "apps/mnist_lora/lists.hpp"

namespace mnist_lora {

namespace {

ExperimentSetup setup_of(const DigitsOptions& o) {
  ExperimentSetup setup;
  setup.command = "digits";
  setup.common = o.common;
  setup.plans = digits_plan(o);
  setup.groups = {o.base, o.tune};
  setup.tuned = o.tune;
  setup.settings = {{"--base", o.base.str()}, {"--tune", o.tune.str()}, {"--ranks", format_ranks(o.ranks)}};
  return setup;
}

DigitsStory story_of(const DigitsOptions& options, const Tested& tested) {
  DigitsStory story;
  story.base_digits = options.base.str();
  story.tuned = options.tune.str();
  if (is_bundled_mnist(data_folder(options.common))) {
    story.published = digits_published(options);
  }
  if (const Run* shown = best_run(tested.results, story.tuned); shown != nullptr) {
    story.grid = first_digits(tested.images, tested.predicted.at("base").on, tested.predicted.at(shown->name).on);
  }
  story.settings = {{"Command line", options.command_line},
                    {"Data", data_folder(options.common).string()},
                    {"Optimizer", "AdamW, one-cycle learning rate"}};
  return story;
}

}  // namespace

FinishedExperiment digits_experiment(const DigitsOptions& options) {
  lora::require(!options.base.empty() && !options.tune.empty(), "digits", "--base and --tune need at least one digit each");
  Experiment experiment(setup_of(options));
  const Tested tested = experiment.run();
  write_results(experiment.workspace().results(), tested.results);
  const WrittenReport written = write_digits_report(options.common.out, tested.results, story_of(options, tested));
  return {tested.results, options.tune.str(), written};
}

void run_digits(const DigitsOptions& options) {
  const InterruptGuard guard;
  apply_device(options.common);
  say_finished(options.common, digits_experiment(options));
}

}  // namespace mnist_lora
