#include "apps/mnist_lora/train_command.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <memory>

#include "apps/mnist_lora/command_line.hpp"
#include "apps/mnist_lora/model_files.hpp"
#include "apps/mnist_lora/train.hpp"

namespace mnist_lora {

namespace {

constexpr const char* kModelGroup = "Model";
constexpr const char* kAdapterGroup = "Adapter";

/// It becomes a folder in --out.
std::string fit_name(const std::string& name) {
  const bool word =
      std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-' || c == '.'; });
  return word && !name.empty() && name.front() != '.' ? "" : "must be letters, digits, '_', '-' and '.', got '" + name + "'";
}

/// What single flags cannot say. @throws CLI::ValidationError
void check_usage(const CLI::App& command, const TrainOptions& options) {
  if (options.adapts() && options.weights.empty()) {
    throw CLI::ValidationError("--adapter",
                               options.adapter + " is trained on frozen weights; give --weights FILE, such as `mnist_lora train` writes");
  }
  for (const char* flag : {"--rank", "--alpha", "--target"}) {
    if (!options.adapts() && command.count(flag) > 0) {
      throw CLI::ValidationError(flag, "is of an adapter; give --adapter " + adapter_names().front());
    }
  }
}

void add_adapter_options(CLI::App& command, TrainOptions& options) {
  std::vector<std::string> adapters = adapter_names();
  adapters.insert(adapters.begin(), "none");
  command.add_option("--adapter", options.adapter, "Train this on the weights, which stay frozen: " + CLI::detail::join(adapters, ", "))
      ->capture_default_str()
      ->type_name("NAME")
      ->check(CLI::IsMember(adapters).description(""))
      ->group(kAdapterGroup);
  add_rank_option(command, "--rank", options.rank, "Rank of the adapter")->group(kAdapterGroup);
  add_positive_option(command, "--alpha", options.alpha, "The adapter's share is scaled by alpha / rank")
      ->group(kAdapterGroup)
      ->default_str("the rank");
  command.add_option("--target", options.target, "Layers to adapt: all, all-linear, names, or a regular expression")
      ->capture_default_str()
      ->type_name("LIST")
      ->group(kAdapterGroup);
}

}  // namespace

void add_train(CLI::App& app, const std::string& program, const std::string& command_line) {
  CLI::App* command = app.add_subcommand("train", "Train a model, or an adapter on a trained one");
  const auto options = std::make_shared<TrainOptions>();
  options->program = program;
  options->command_line = command_line;
  options->common.out = "out/train";
  options->common.lr = 0;
  add_model_option(*command, options->model, "Architecture")->group(kModelGroup);
  command->add_option("--weights", options->weights, "Safetensors file to begin with [a model from scratch]")
      ->type_name("FILE")
      ->group(kModelGroup);
  add_digits_option(*command, "--digits", options->digits, "Digits to train on")->group(kModelGroup);
  command->add_option("--name", options->name, "Name of the run, and of its folder in adapters/")
      ->type_name("NAME")
      ->check(CLI::Validator(fit_name, "", "name"))
      ->default_str("the model's, or as lora-r8")
      ->group(kModelGroup);
  add_adapter_options(*command, *options);
  add_common_options(*command, options->common);
  describe(*command, {"mnist_lora train", "mnist_lora train --digits 0-4 --out out/base",
                      "mnist_lora train --weights out/base/base.safetensors --adapter lora --rank 8 --digits 5-9"});
  command->callback([command, options] {
    check_usage(*command, *options);
    run_train(*options);
  });
}

}  // namespace mnist_lora
