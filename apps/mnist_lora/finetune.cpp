#include "apps/mnist_lora/finetune.hpp"

#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/experiment.hpp"
#include "apps/mnist_lora/finetune_plan.hpp"
#include "apps/mnist_lora/finetune_report.hpp"
#include "apps/mnist_lora/interrupt.hpp"
#include "apps/mnist_lora/lists.hpp"
#include "apps/mnist_lora/text.hpp"

namespace mnist_lora {

namespace {

constexpr const char* kNone = "none";

ExperimentSetup setup_of(const FinetuneOptions& o) {
  ExperimentSetup setup;
  setup.command = "finetune";
  setup.common = o.common;
  setup.model = o.model;
  setup.plans = finetune_plan(o);
  setup.groups = {o.digits, o.digits.complement()};
  setup.tuned = o.digits;
  setup.settings = {{"--model", o.model},
                    {"--digits", o.digits.str()},
                    {"--rank", std::to_string(o.rank)},
                    {"--alpha", exact(o.alpha)},
                    {"--tune-epochs", std::to_string(o.tune_epochs)},
                    {"--keep-others", format_numbers(o.keep_others)},
                    {"--ranks", o.sweep ? format_ranks(o.ranks) : kNone},
                    {"--lrs", o.sweep ? format_numbers(o.lrs) : kNone}};
  return setup;
}

std::string text_of(const lora::datasets::RandomAffine& most) {
  return "turned by up to " + exact(most.degrees) + " degrees, moved by up to " + exact(most.translate) + " pixels, resized by up to " +
         exact(100 * most.scale) + " %, slanted by up to " + exact(most.shear) + " degrees, anew each time";
}

FinetuneStory story_of(const FinetuneOptions& o, const Experiment& experiment) {
  FinetuneStory story;
  story.model = o.model;
  story.tuned = o.digits.str();
  story.limit = o.common.limit;
  story.plans = experiment.setup().plans;
  story.layers = layers_table(*experiment.model_to_train(story.plans[1]).model);
  story.settings = {{"Command line", o.command_line},
                    {"Data", data_folder(o.common).string()},
                    {"Optimizer", "AdamW; the base with a rate that does not count on a last epoch, adapters with one cycle"},
                    {"Images of adapters", text_of(story.plans[1].affine)}};
  return story;
}

}  // namespace

CommonOptions finetune_defaults() {
  CommonOptions common;
  common.out = "out/finetune";
  common.lr = 0;
  common.epochs = 20;
  common.patience = 2;
  return common;
}

FinishedExperiment finetune_experiment(const FinetuneOptions& options) {
  Experiment experiment(setup_of(options));
  const Tested tested = experiment.run();
  write_results(experiment.workspace().results(), tested.results);
  const FinetuneStory story = story_of(options, experiment);
  return {tested.results, options.digits.str(), write_finetune_report(options.common.out, tested.results, story)};
}

void run_finetune(const FinetuneOptions& options) {
  const InterruptGuard guard;
  apply_device(options.common);
  say_finished(options.common, finetune_experiment(options));
}

}  // namespace mnist_lora
