#include "apps/mnist_lora/inspect.hpp"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "apps/mnist_lora/text.hpp"
#include "core/base/file.hpp"
#include "core/serialize.hpp"

namespace mnist_lora {

namespace {

struct Contents {
  lora::SafetensorsFile file;
  std::optional<nlohmann::ordered_json> config;  ///< of an adapter folder
};

nlohmann::ordered_json read_config(const std::filesystem::path& path) {
  try {
    return nlohmann::ordered_json::parse(lora::read_text_file(path));
  } catch (const nlohmann::json::exception& error) {
    lora::fail("inspect", path.string(), " is not JSON: ", error.what());
  }
}

Contents read(const std::filesystem::path& path) {
  std::error_code missing;
  if (!std::filesystem::is_directory(path, missing)) {
    return {lora::load_safetensors(path), std::nullopt};
  }
  const std::filesystem::path config = path / "adapter_config.json";
  lora::require(std::filesystem::exists(config, missing), "inspect", path.string(),
                " has no adapter_config.json; name a safetensors file or a PEFT folder");
  return {lora::load_safetensors(path / "adapter_model.safetensors"), read_config(config)};
}

std::string shape_text(const lora::Shape& shape) {
  std::ostringstream text;
  text << shape;
  return std::move(text).str();
}

std::int64_t total_elements(const lora::NamedTensors& tensors) {
  std::int64_t total = 0;
  for (const auto& [name, tensor] : tensors) {
    total += tensor.numel();
  }
  return total;
}

std::int64_t total_bytes(const lora::NamedTensors& tensors) {
  std::int64_t total = 0;
  for (const auto& [name, tensor] : tensors) {
    total += static_cast<std::int64_t>(tensor.nbytes());
  }
  return total;
}

nlohmann::ordered_json to_json(const std::filesystem::path& path, const Contents& contents) {
  nlohmann::ordered_json json{
      {"path", path.string()}, {"parameters", total_elements(contents.file.tensors)}, {"bytes", total_bytes(contents.file.tensors)}};
  json["metadata"] = contents.file.metadata;
  json["tensors"] = nlohmann::ordered_json::array();
  for (const auto& [name, tensor] : contents.file.tensors) {
    json["tensors"].push_back({{"name", name},
                               {"dtype", lora::name(tensor.dtype())},
                               {"shape", std::vector<lora::Index>(tensor.shape().begin(), tensor.shape().end())}});
  }
  if (contents.config) {
    json["adapter"] = *contents.config;
  }
  return json;
}

void print_tensors(const lora::NamedTensors& tensors) {
  std::size_t names = 4, shapes = 5;
  for (const auto& [name, tensor] : tensors) {
    names = std::max(names, name.size());
    shapes = std::max(shapes, shape_text(tensor.shape()).size());
  }
  const auto row = [&](const std::string& name, std::string_view dtype, const std::string& shape, const std::string& elements) {
    std::cout << std::left << std::setw(static_cast<int>(names) + 2) << name << std::setw(6) << dtype
              << std::setw(static_cast<int>(shapes) + 2) << shape << std::right << std::setw(12) << elements << '\n';
  };
  row("name", "dtype", "shape", "elements");
  for (const auto& [name, tensor] : tensors) {
    row(name, lora::name(tensor.dtype()), shape_text(tensor.shape()), grouped(tensor.numel()));
  }
}

void print(const std::filesystem::path& path, const Contents& contents) {
  const lora::NamedTensors& tensors = contents.file.tensors;
  std::cout << path.string() << ": " << tensors.size() << " tensors, " << grouped(total_elements(tensors)) << " elements, "
            << grouped(total_bytes(tensors)) << " bytes\n";
  for (const auto& [key, value] : contents.file.metadata) {
    std::cout << "metadata " << key << ": " << value << '\n';
  }
  if (contents.config) {
    for (const char* key : {"peft_type", "r", "lora_alpha", "lora_dropout", "target_modules", "use_rslora", "use_dora", "bias"}) {
      if (contents.config->contains(key)) {
        std::cout << "adapter " << key << ": " << contents.config->at(key).dump() << '\n';
      }
    }
  }
  std::cout << '\n';
  print_tensors(tensors);
}

}  // namespace

void run_inspect(const std::filesystem::path& path, bool json) {
  const Contents contents = read(path);
  if (json) {
    std::cout << to_json(path, contents).dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
  } else {
    print(path, contents);
  }
}

}  // namespace mnist_lora
