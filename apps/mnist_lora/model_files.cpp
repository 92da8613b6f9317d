#include "apps/mnist_lora/model_files.hpp"

#include <CLI/CLI.hpp>
#include <utility>

#include "lora/peft_files.hpp"
#include "nn/weights_file.hpp"

namespace mnist_lora {

namespace {

bool takes(const std::string& model, const std::filesystem::path& weights) {
  try {
    lora::nn::load_weights(*make_model(model), weights);
    return true;
  } catch (const lora::Error&) {
    return false;
  }
}

void load_weights(lora::nn::Module& model, const ModelFiles& files) {
  try {
    lora::nn::load_weights(model, files.weights);
  } catch (const lora::Error& error) {
    const std::vector<std::string> fitting = models_of_weights(files.weights);
    throw lora::Error(error.what() +
                      (fitting.empty() ? "" : "; these are weights of " + fitting.front() + ": give --model " + fitting.front()));
  }
}

}  // namespace

CLI::Option* add_model_option(CLI::App& command, std::string& model, const std::string& text) {
  return command.add_option("--model", model, text + ": " + CLI::detail::join(model_names(), ", "))
      ->capture_default_str()
      ->type_name("NAME")
      ->check(CLI::IsMember(model_names()).description(""));
}

void add_model_options(CLI::App& command, ModelFiles& files) {
  add_model_option(command, files.model, "Architecture of the weights")->group("Files");
  command.add_option("--weights", files.weights, "Safetensors file with the names of PyTorch")
      ->type_name("FILE")
      ->group("Files")
      ->required();
  command.add_option("--adapter", files.adapter, "PEFT folder to attach")->type_name("DIR")->group("Files");
}

LoadedModel load_model(const ModelFiles& files, const lora::Device& device) {
  LoadedModel loaded{make_model(files.model), std::nullopt};
  load_weights(*loaded.model, files);
  if (!files.adapter.empty()) {
    loaded.adapter = lora::load_adapter(*loaded.model, files.adapter);
  }
  loaded.model->to(device);
  loaded.model->eval();
  return loaded;
}

std::vector<std::string> models_of_weights(const std::filesystem::path& weights) {
  std::vector<std::string> fitting;
  for (const std::string& name : model_names()) {
    if (takes(name, weights)) {
      fitting.push_back(name);
    }
  }
  return fitting;
}

std::filesystem::path adapter_tensors(const std::filesystem::path& folder) { return folder / "adapter_model.safetensors"; }

void require_other_file(const char* flag, const std::filesystem::path& output, const ModelFiles& files) {
  for (const auto& [read_flag, read] : {std::pair{"--weights", files.weights}, {"--adapter", adapter_tensors(files.adapter)}}) {
    std::error_code missing;
    lora::require(!std::filesystem::equivalent(output, read, missing), "files", flag, ' ', output.string(), " is the file of ", read_flag,
                  "; give it a name of its own");
  }
}

std::vector<std::string> command_words(const ModelFiles& files) {
  std::vector<std::string> words;
  const auto add = [&words](const char* flag, const std::string& value) { words.insert(words.end(), {flag, value}); };
  if (files.model != ModelFiles().model) {
    add("--model", files.model);
  }
  add("--weights", files.weights.string());
  if (!files.adapter.empty()) {
    add("--adapter", files.adapter.string());
  }
  return words;
}

}  // namespace mnist_lora
