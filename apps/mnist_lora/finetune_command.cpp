#include "apps/mnist_lora/finetune_command.hpp"

#include <CLI/CLI.hpp>
#include <memory>

#include "apps/mnist_lora/command_line.hpp"
#include "apps/mnist_lora/finetune.hpp"
#include "apps/mnist_lora/model_files.hpp"

namespace mnist_lora {

namespace {

constexpr const char* kSweepGroup = "Sweep";

void add_sweep_options(CLI::App& command, FinetuneOptions& options) {
  command.add_flag("--sweep", options.sweep, "Tune with each of --ranks and --lrs too")->group(kSweepGroup);
  add_ranks_option(command, "--ranks", options.ranks, "Ranks of the sweep")->group(kSweepGroup);
  add_numbers_option(command, "--lrs", options.lrs, {1e-12, 1e3}, "Learning rates of the sweep")->group(kSweepGroup);
}

/// What single flags cannot say. @throws CLI::ValidationError
void check_usage(const CLI::App& command, const FinetuneOptions& options) {
  for (const char* flag : {"--ranks", "--lrs"}) {
    if (!options.sweep && command.count(flag) > 0) {
      throw CLI::ValidationError(flag, "is of a sweep; give --sweep, or --rank and --lr for one run");
    }
  }
}

}  // namespace

void add_finetune(CLI::App& app, const std::string& command_line) {
  CLI::App* command = app.add_subcommand("finetune", "Train a network, then LoRA on the digits that it confuses");
  const auto options = std::make_shared<FinetuneOptions>();
  options->command_line = command_line;
  add_model_option(*command, options->model, "Network")->group("Experiment");
  add_digits_option(*command, "--digits", options->digits, "Digits that the adapter is tuned on");
  add_rank_option(*command, "--rank", options->rank, "Rank of the adapter");
  add_positive_option(*command, "--alpha", options->alpha, "The adapter's share is scaled by alpha / rank");
  add_numbers_option(*command, "--keep-others", options->keep_others, {0, 1},
                     "Share of the other digits' images to train on too, with the base's outputs held on them; a list: one run each");
  add_epochs_option(*command, "--tune-epochs", options->tune_epochs, "Epochs of an adapter; --epochs are those of the base at most");
  add_sweep_options(*command, *options);
  add_common_options(*command, options->common);
  describe(*command, {"mnist_lora finetune", "mnist_lora finetune --model resnet20 --limit 10000 --keep-others 0,0.1",
                      "mnist_lora finetune --sweep --out out/sweep"});
  command->callback([command, options] {
    check_usage(*command, *options);
    run_finetune(*options);
  });
}

}  // namespace mnist_lora
