#include "apps/mnist_lora/commands.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/mnist_lora/command_line.hpp"
#include "apps/mnist_lora/compare.hpp"
#include "apps/mnist_lora/demo.hpp"
#include "apps/mnist_lora/digits.hpp"
#include "apps/mnist_lora/file_commands.hpp"
#include "apps/mnist_lora/finetune_command.hpp"
#include "apps/mnist_lora/model_files.hpp"
#include "apps/mnist_lora/train_command.hpp"
#include "core/base/version.hpp"

namespace mnist_lora {

namespace {

/// As it was given, but for the program's path.
std::string given(int argc, const char* const* argv) {
  std::vector<std::string> words{"mnist_lora"};
  words.insert(words.end(), argv + std::min(argc, 1), argv + argc);
  return shell_command(words);
}

void add_compare(CLI::App& app, const std::string& command_line) {
  CLI::App* command = app.add_subcommand("compare", "Train a network, and each kind of adapter on it");
  const auto options = std::make_shared<CompareOptions>();
  options->command_line = command_line;
  add_model_option(*command, options->model, "Network")->group("Experiment");
  add_names_option(*command, "--adapters", options->adapters, adapter_names(), "Adapters, one run each");
  add_rank_option(*command, "--rank", options->rank, "Rank of the adapters");
  add_positive_option(*command, "--alpha", options->alpha, "An adapter's share is scaled by alpha / rank");
  add_common_options(*command, options->common);
  describe(*command, {"mnist_lora compare", "mnist_lora compare --limit 10000 --out out/quick", "mnist_lora compare --resume"});
  command->callback([options] { run_compare(*options); });
}

void add_digits(CLI::App& app, const std::string& command_line) {
  CLI::App* command = app.add_subcommand("digits", "Train a perceptron on some digits, LoRA on the others");
  const auto options = std::make_shared<DigitsOptions>();
  options->command_line = command_line;
  options->common.out = "out/digits";
  options->common.lr = 0;
  add_digits_option(*command, "--base", options->base, "Digits that the base is trained on");
  add_digits_option(*command, "--tune", options->tune, "Digits that the adapters are trained on");
  add_ranks_option(*command, "--ranks", options->ranks, "Ranks of LoRA, one run each");
  add_common_options(*command, options->common);
  describe(*command, {"mnist_lora digits", "mnist_lora digits --ranks 4,8 --epochs 3 --out out/quick", "mnist_lora digits --resume"});
  command->callback([options] { run_digits(*options); });
}

/// The command's default of an option is each experiment's own.
template <class T>
void keep_if_given(const CLI::App& command, const std::string& flag, const T& value, std::optional<T>& kept) {
  if (command.count(flag) > 0) {
    kept = value;
  }
}

void add_demo(CLI::App& app, const std::string& command_line) {
  CLI::App* command = app.add_subcommand("demo", "All experiments, sized for minutes, in one report");
  const auto options = std::make_shared<DemoOptions>();
  options->command_line = command_line;
  options->common.out = "out/demo";
  options->common.lr = 0;
  add_common_options(*command, options->common);
  for (const char* flag : {"--epochs", "--patience"}) {
    command->get_option(flag)->default_str("by experiment");
  }
  command->get_option("--limit")->default_str(std::to_string(kDemoLimit) + " for convolutional networks");
  describe(*command, {"mnist_lora demo", "mnist_lora demo --data /usr/share/datasets/fashion-mnist --out out/fashion"});
  command->callback([command, options] {
    keep_if_given(*command, "--epochs", options->common.epochs, options->epochs);
    keep_if_given(*command, "--patience", options->common.patience, options->patience);
    keep_if_given(*command, "--limit", options->common.limit, options->limit);
    run_demo(*options);
  });
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  CLI::App app("LoRA experiments on MNIST, with no Python anywhere", "mnist_lora");
  app.set_version_flag("--version", "mnist_lora " + std::string(lora::version()), "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.require_subcommand(1);
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  add_demo(app, given(argc, argv));
  add_digits(app, given(argc, argv));
  add_compare(app, given(argc, argv));
  add_finetune(app, given(argc, argv));
  add_train(app, argc > 0 ? argv[0] : "mnist_lora", given(argc, argv));
  add_eval(app);
  add_predict(app);
  add_merge(app);
  add_inspect(app);
  describe(app, {"mnist_lora digits --epochs 3", "mnist_lora train", "mnist_lora train --help"});
  return run_cli(app, argc, argv);
}

}  // namespace mnist_lora
