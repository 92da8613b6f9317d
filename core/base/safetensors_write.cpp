#include <algorithm>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <utility>

#include "core/base/error.hpp"
#include "core/base/file.hpp"
#include "core/base/safetensors.hpp"
#include "core/base/safetensors_format.hpp"

namespace lora {
namespace {

using nlohmann::json;
using namespace safetensors_format;

std::string json_string(const std::string& text, std::string_view origin, const char* what) {
  try {
    return json(text).dump();
  } catch (const json::type_error&) {
    fail("safetensors", origin, ": the ", what, " ", quote_name(text), " is not valid UTF-8");
  }
}

std::vector<const TensorBytes*> layout_order(std::span<const TensorBytes> tensors) {
  std::vector<const TensorBytes*> order;
  for (const TensorBytes& tensor : tensors) {
    order.push_back(&tensor);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    const std::size_t rank_a = layout_rank(a->dtype), rank_b = layout_rank(b->dtype);
    return rank_a != rank_b ? rank_a < rank_b : a->name < b->name;
  });
  return order;
}

void check_tensors(std::span<const TensorBytes> tensors, std::string_view origin) {
  std::set<std::string_view> names;
  for (const TensorBytes& tensor : tensors) {
    const std::string at = "key " + quote_name(tensor.name);
    require(tensor.name != kMetadataKey, "safetensors", origin, ": ", at, ": the name is reserved; rename the tensor");
    require(names.insert(tensor.name).second, "safetensors", origin, ": ", at, ": appears twice; names must be unique");
    check_sizes("safetensors", tensor.shape);
    std::size_t wanted = 0;
    const bool counted = count_bytes(tensor.shape, tensor.dtype, wanted);
    require(counted && wanted == tensor.bytes.size(), "safetensors", origin, ": ", at, ": ", tensor.dtype, tensor.shape, " needs ", wanted,
            " bytes, got ", tensor.bytes.size());
  }
}

std::string metadata_text(const std::map<std::string, std::string>& metadata, std::string_view origin) {
  std::string text;
  for (const auto& [key, value] : metadata) {
    text += (text.empty() ? "" : ",") + json_string(key, origin, "metadata key") + ":" + json_string(value, origin, "metadata value");
  }
  return "{" + text + "}";
}

std::string entry_text(const TensorBytes& tensor, std::size_t begin) {
  std::ostringstream text;
  text << R"({"dtype":")" << kFormatNames[layout_rank(tensor.dtype)].second << R"(","shape":)" << tensor.shape << R"(,"data_offsets":[)"
       << begin << ',' << begin + tensor.bytes.size() << "]}";
  return std::move(text).str();
}

/// The length and the header, padded so that the data begins at a multiple of 8.
std::string header_bytes(const std::vector<const TensorBytes*>& order, const std::map<std::string, std::string>& metadata,
                         std::string_view origin) {
  std::string text;
  if (!metadata.empty()) {
    text = json(kMetadataKey).dump() + ":" + metadata_text(metadata, origin);
  }
  std::size_t begin = 0;
  for (const TensorBytes* tensor : order) {
    text += (text.empty() ? "" : ",") + json_string(tensor->name, origin, "name") + ":" + entry_text(*tensor, begin);
    begin += tensor->bytes.size();
  }
  text = "{" + text + "}";
  text.append((kLengthBytes - text.size() % kLengthBytes) % kLengthBytes, ' ');
  require(text.size() <= kMaxHeaderBytes, "safetensors", origin, ": the header would have ", text.size(), " bytes, the format's limit is ",
          kMaxHeaderBytes, "; write fewer tensors or less metadata");
  const auto length = static_cast<std::uint64_t>(text.size());
  std::string bytes(kLengthBytes, '\0');
  std::memcpy(bytes.data(), &length, kLengthBytes);
  return bytes + text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const TensorBytes> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string origin = path.string();
  check_tensors(tensors, origin);
  const auto order = layout_order(tensors);
  const std::string header = header_bytes(order, metadata, origin);
  std::vector<std::span<const std::byte>> pieces{std::as_bytes(std::span(header))};
  for (const TensorBytes* tensor : order) {
    pieces.push_back(tensor->bytes);
  }
  write_file_atomically(path, pieces);
}

}  // namespace lora
