#include "apps/mnist_lora/file_contents.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include "apps/mnist_lora/model_files.hpp"
#include "core/base/file.hpp"
#include "lora/peft_files.hpp"
#include "nn/weights_file.hpp"

namespace mnist_lora {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::set<std::string> names_of(const std::vector<GuessedLayer>& layers) {
  std::set<std::string> names;
  for (const GuessedLayer& layer : layers) {
    for (const GuessedTensor& tensor : layer.tensors) {
      names.insert(tensor.listing.name);
    }
  }
  return names;
}

/// The names are looked at first: to try to load a large file of another model could take long.
bool takes_weights(lora::nn::Module& model, const std::filesystem::path& file, const std::set<std::string>& names) {
  for (const lora::nn::NamedTensor& parameter : model.named_parameters()) {
    if (!names.contains(parameter.name)) {
      return false;
    }
  }
  try {
    lora::nn::load_weights(model, file);
    return true;
  } catch (const lora::Error&) {
    return false;
  }
}

bool takes_adapter(lora::nn::Module& model, const std::filesystem::path& folder) {
  try {
    lora::load_adapter(model, folder).detach();
    return true;
  } catch (const lora::Error&) {
    return false;
  }
}

template <class Value>
auto sum_over(const std::vector<GuessedLayer>& layers, const Value& value) {
  decltype(value(layers.front())) sum = 0;
  for (const GuessedLayer& layer : layers) {
    sum += value(layer);
  }
  return sum;
}

}  // namespace

std::size_t FileContents::tensors() const {
  return sum_over(layers, [](const GuessedLayer& layer) { return layer.tensors.size(); });
}

std::int64_t FileContents::parameters() const {
  return sum_over(layers, [](const GuessedLayer& layer) { return layer.parameters(); });
}

std::size_t FileContents::bytes() const {
  return sum_over(layers, [](const GuessedLayer& layer) { return layer.bytes(); });
}

std::string FileContents::dtypes() const {
  std::map<std::string, std::size_t> bytes_of;
  for (const GuessedLayer& layer : layers) {
    for (const GuessedTensor& tensor : layer.tensors) {
      bytes_of[tensor.listing.dtype] += tensor.listing.bytes;
    }
  }
  std::vector<std::pair<std::string, std::size_t>> order(bytes_of.begin(), bytes_of.end());
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (std::size_t i = 0; i < order.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == order.size() ? " and " : ", ") + order[i].first;
  }
  return text;
}

FileContents ContentsReader::read(const std::filesystem::path& path) {
  FileContents contents;
  contents.path = path;
  std::filesystem::path file = path;
  std::error_code missing;
  if (std::filesystem::is_directory(path, missing)) {
    lora::require(std::filesystem::exists(path / "adapter_config.json", missing), "inspect", path.string(),
                  " has no adapter_config.json; name a safetensors file or a PEFT folder");
    contents.adapter = read_adapter_settings(path);
    file = adapter_tensors(path);
  }
  const lora::MappedFile mapped(file);
  lora::SafetensorsListing listing = lora::list_safetensors(mapped.bytes(), file.string());
  for (lora::TensorListing& tensor : listing.tensors) {
    tensor.dtype = lower(tensor.dtype);
  }
  contents.file_bytes = mapped.bytes().size();
  contents.metadata = std::move(listing.metadata);
  contents.layers = guess_layers(listing.tensors, mapped.bytes());
  contents.models = models_of(contents);
  return contents;
}

std::vector<std::string> ContentsReader::models_of(const FileContents& contents) {
  if (models_.empty()) {
    for (const std::string& name : model_names()) {
      models_.emplace_back(name, make_model(name));
    }
  }
  const std::set<std::string> names = names_of(contents.layers);
  std::vector<std::string> fitting;
  for (const auto& [name, model] : models_) {
    if (contents.adapter ? takes_adapter(*model, contents.path) : takes_weights(*model, contents.path, names)) {
      fitting.push_back(name);
    }
  }
  return fitting;
}

}  // namespace mnist_lora
