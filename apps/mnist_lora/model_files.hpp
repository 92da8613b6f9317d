#pragma once
// A model from files: weights and, on top of them, an adapter.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "apps/mnist_lora/models.hpp"
#include "lora/attach.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace mnist_lora {

struct ModelFiles {
  std::string model = model_names().front();
  std::filesystem::path weights;
  std::filesystem::path adapter;  ///< a PEFT folder, or empty
};

/// --model, with the names that there are.
CLI::Option* add_model_option(CLI::App& command, std::string& model, const std::string& text);
/// --model --weights --adapter
void add_model_options(CLI::App& command, ModelFiles& files);

struct LoadedModel {
  std::unique_ptr<lora::nn::Module> model;
  std::optional<lora::AttachedAdapter> adapter;  ///< active, if there was one to attach
};

/// On a device, in evaluation mode.
/// @throws lora::Error naming the file; if the weights are those of another model, naming that too
LoadedModel load_model(const ModelFiles& files, const lora::Device& device = lora::kCpu);

/// The names of the models that take these weights as they are.
std::vector<std::string> models_of_weights(const std::filesystem::path& weights);

/// The tensors of an adapter folder.
std::filesystem::path adapter_tensors(const std::filesystem::path& folder);

/// Refuses to write over a file that is read: the command would destroy what it works on.
/// @param flag  of `output`, for the error. @throws lora::Error
void require_other_file(const char* flag, const std::filesystem::path& output, const ModelFiles& files);

/// `--weights F --adapter DIR`, with --model where it is not the default: for command lines that are shown.
std::vector<std::string> command_words(const ModelFiles& files);

}  // namespace mnist_lora
