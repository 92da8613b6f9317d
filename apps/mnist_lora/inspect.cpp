#include "apps/mnist_lora/inspect.hpp"

#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/mnist_lora/device.hpp"
#include "apps/mnist_lora/file_contents.hpp"
#include "apps/mnist_lora/inspect_text.hpp"

namespace mnist_lora {

namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json adapter_json(const AdapterSettings& adapter) {
  return {{"method", adapter.method},
          {"rank", or_null(adapter.rank)},
          {"alpha", or_null(adapter.alpha)},
          {"scaling", or_null(adapter.scaling())},
          {"dropout", or_null(adapter.dropout)},
          {"targets", adapter.targets},
          {"config", adapter.all}};
}

Json layer_json(const GuessedLayer& layer) {
  Json json{{"name", layer.name}, {"kind", layer.kind}, {"parameters", layer.parameters()}, {"bytes", layer.bytes()}};
  json["tensors"] = Json::array();
  for (const GuessedTensor& tensor : layer.tensors) {
    json["tensors"].push_back({{"name", tensor.listing.name},
                               {"dtype", tensor.listing.dtype},
                               {"shape", tensor.listing.shape},
                               {"parameters", tensor.parameters},
                               {"bytes", tensor.listing.bytes}});
  }
  return json;
}

Json contents_json(const FileContents& contents) {
  Json json{{"path", contents.path.string()}, {"file_bytes", contents.file_bytes},
            {"tensors", contents.tensors()},  {"parameters", contents.parameters()},
            {"bytes", contents.bytes()},      {"models", contents.models},
            {"metadata", contents.metadata},  {"adapter", contents.adapter ? adapter_json(*contents.adapter) : Json()},
            {"layers", Json::array()}};
  for (const GuessedLayer& layer : contents.layers) {
    json["layers"].push_back(layer_json(layer));
  }
  return json;
}

void print_json(const std::vector<FileContents>& files, const CommonOptions& common) {
  const Results about = describe_results("inspect", common);
  Json json{{"command", about.command}, {"version", about.version}, {"files", Json::array()}};
  for (const FileContents& contents : files) {
    json["files"].push_back(contents_json(contents));
  }
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace

void run_inspect(const InspectOptions& options) {
  ContentsReader reader;
  std::vector<FileContents> files;
  std::string errors;
  for (const std::filesystem::path& path : options.paths) {
    try {
      files.push_back(reader.read(path));
    } catch (const lora::Error& error) {
      errors += (errors.empty() ? "" : "\n  ") + std::string(error.what());
    }
  }
  if (options.common.json && errors.empty()) {
    print_json(files, options.common);
  }
  for (std::size_t i = 0; i < files.size() && !options.common.json; ++i) {
    std::cout << (i == 0 ? "" : "\n");
    print_contents(std::cout, files[i]);
  }
  if (!errors.empty()) {
    std::cout.flush();
    throw lora::Error(errors);
  }
}

}  // namespace mnist_lora
