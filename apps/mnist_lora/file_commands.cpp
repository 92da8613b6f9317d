#include "apps/mnist_lora/file_commands.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "apps/mnist_lora/command_line.hpp"
#include "apps/mnist_lora/eval.hpp"
#include "apps/mnist_lora/experiment_data.hpp"
#include "apps/mnist_lora/inspect.hpp"
#include "apps/mnist_lora/merge.hpp"
#include "apps/mnist_lora/predict.hpp"

namespace mnist_lora {

namespace {

/// Files-only commands take all common flags, but show only those that change something.
void hide(CLI::App& command, const char* flag) { command.get_option(flag)->group(""); }

}  // namespace

void add_eval(CLI::App& app) {
  CLI::App* command = app.add_subcommand("eval", "Test a model, with its adapter and without");
  const auto options = std::make_shared<EvalOptions>();
  options->common.batch_size = kEvaluationBatch;
  add_model_options(*command, options->files);
  add_digits_option(*command, "--digits", options->digits, "Digits to test on; the others and all get rows too")->group("Images");
  command->add_option("--split", options->split, "test, or validation or train: the parts of the training images")
      ->capture_default_str()
      ->type_name("NAME")
      ->check(CLI::IsMember(eval_splits()).description(""))
      ->group("Images");
  add_evaluation_options(*command, options->common);
  add_run_options(*command, options->common);
  describe(*command, {"mnist_lora eval --weights out/train/base.safetensors",
                      "mnist_lora eval --weights out/digits/base.safetensors --adapter out/digits/adapters/lora-r8 --digits 5-9"});
  command->callback([options] { run_eval(*options); });
}

void add_predict(CLI::App& app) {
  CLI::App* command = app.add_subcommand("predict", "Write the logits of a model for images in a file");
  const auto options = std::make_shared<PredictOptions>();
  const auto file = [&](const std::string& flag, std::filesystem::path& path, const std::string& text, const char* type) {
    return command->add_option(flag, path, text)->type_name(type)->group("Files");
  };
  add_model_options(*command, options->files);
  file("--input", options->input, "Holds x [N,1,28,28], used as given", "FILE")->required();
  file("--output", options->output, "Gets logits [N,10]", "FILE")->required();
  add_run_options(*command, options->common);
  hide(*command, "--seed");
  hide(*command, "--data");
  describe(*command,
           {"mnist_lora predict --weights base.safetensors --adapter adapters/lora-r8 --input x.safetensors --output y.safetensors"});
  command->callback([options] { run_predict(*options); });
}

void add_merge(CLI::App& app) {
  CLI::App* command = app.add_subcommand("merge", "Fold an adapter into the weights");
  const auto options = std::make_shared<MergeOptions>();
  add_model_options(*command, options->files);
  command->get_option("--adapter")->required();
  command->add_option("--output", options->output, "Gets the merged weights")->type_name("FILE")->required()->group("Files");
  command->add_flag("--force", options->force, "Replace --output if it is there")->group("Files");
  command->add_flag("--requantize", options->requantize, "Keep weights of 4 bits in 4 bits, which loses small changes [dense]")
      ->group("Files");
  add_run_options(*command, options->common);
  hide(*command, "--dtype");
  hide(*command, "--seed");
  describe(*command, {"mnist_lora merge --weights base.safetensors --adapter adapters/lora-r8 --output merged.safetensors"});
  command->callback([options] { run_merge(*options); });
}

void add_inspect(CLI::App& app) {
  CLI::App* command = app.add_subcommand("inspect", "Show what safetensors files and adapter folders hold");
  const auto options = std::make_shared<InspectOptions>();
  command->add_option("path", options->paths, "Safetensors files, of this program or not, and PEFT folders")
      ->required()
      ->type_name("")
      ->expected(1, 1 << 20);
  add_run_options(*command, options->common);
  for (const char* flag : {"--device", "--dtype", "--threads", "--seed", "--data", "--quiet"}) {
    hide(*command, flag);
  }
  describe(*command, {"mnist_lora inspect out/digits/base.safetensors", "mnist_lora inspect out/digits/adapters/*"});
  command->callback([options] { run_inspect(*options); });
}

}  // namespace mnist_lora
