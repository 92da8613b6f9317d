#pragma once
// What inspect knows of a safetensors file or an adapter folder.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/mnist_lora/adapter_settings.hpp"
#include "apps/mnist_lora/layer_guess.hpp"
#include "nn/module.hpp"

namespace mnist_lora {

struct FileContents {
  std::filesystem::path path;
  std::size_t file_bytes = 0;  ///< of the safetensors file
  std::map<std::string, std::string> metadata;
  std::vector<GuessedLayer> layers;
  std::vector<std::string> models;         ///< whose weights, or adapter, these are
  std::optional<AdapterSettings> adapter;  ///< of a PEFT folder

  std::size_t tensors() const;
  std::int64_t parameters() const;
  std::size_t bytes() const;
  /// `f32`, or with several `bf16 and f32`, the one with most bytes first.
  std::string dtypes() const;
};

/// Reads files; the models of the table are made at the first use.
class ContentsReader {
 public:
  /// @param path  a safetensors file or a PEFT folder. @throws lora::Error naming it
  FileContents read(const std::filesystem::path& path);

 private:
  std::vector<std::string> models_of(const FileContents& contents);

  std::vector<std::pair<std::string, std::unique_ptr<lora::nn::Module>>> models_;
};

}  // namespace mnist_lora
